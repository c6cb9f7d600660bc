//! Security: TLS, SASL, delegation tokens, authorization.

use super::keys;
use super::reasons::{NO_AUTHORIZER, NO_JVM, NO_KERBEROS, NO_LOGIN};

keys! {
    "authorizer.class.name": String = "", Any, Low, ReadOnly, Fixed(NO_AUTHORIZER),
        "The authorizer; empty lets everybody do everything.";
    "principal.builder.class": Class =
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        Any, Medium, PerBroker, Meaningless(NO_JVM),
        "The Java class that names a connection's principal.";
    "security.providers": String = null, Any, Low, ReadOnly, Meaningless(NO_JVM),
        "Java security providers.";
    "connections.max.reauth.ms": Long = "0", Any, Medium, ReadOnly, Later,
        "How long a SASL session lasts before the client must authenticate again; 0 is for ever.";
    "sasl.server.max.receive.size": Int = "524288", Any, Medium, ReadOnly, Later,
        "The largest SASL message that is read.";
    "ssl.client.auth": String = "none", OneOf(&["required", "requested", "none"]), Medium, PerBroker, Later,
        "Whether clients show certificates: `required`, `requested` or `none`.";
    "ssl.principal.mapping.rules": String = "DEFAULT", Any, Low, ReadOnly, Later,
        "Rules that make a principal's name of a certificate's.";
    "ssl.allow.dn.changes": Boolean = "false", Any, Low, ReadOnly, Later,
        "Whether a new certificate may have another distinguished name.";
    "ssl.allow.san.changes": Boolean = "false", Any, Low, ReadOnly, Later,
        "Whether a new certificate may have other alternative names.";
    "ssl.protocol": String = "TLSv1.3", Any, Medium, PerBroker, Later,
        "The TLS version preferred.";
    "ssl.provider": String = null, Any, Medium, PerBroker, Meaningless(NO_JVM),
        "The Java provider of TLS.";
    "ssl.enabled.protocols": List = "TLSv1.2,TLSv1.3", Any, Medium, PerBroker, Later,
        "The TLS versions offered.";
    "ssl.keystore.type": String = "JKS", Any, Medium, PerBroker, Later,
        "The format of the keystore: PEM, PKCS12 or JKS.";
    "ssl.keystore.location": String = null, Any, Medium, PerBroker, Later,
        "The keystore's file.";
    "ssl.keystore.password": Password = null, Any, Medium, PerBroker, Later,
        "The keystore's password.";
    "ssl.key.password": Password = null, Any, Medium, PerBroker, Later,
        "The password of the private key.";
    "ssl.keystore.key": Password = null, Any, Medium, PerBroker, Later,
        "The private key in PEM form.";
    "ssl.keystore.certificate.chain": Password = null, Any, Medium, PerBroker, Later,
        "The certificate chain in PEM form.";
    "ssl.truststore.type": String = "JKS", Any, Medium, PerBroker, Later,
        "The format of the truststore: PEM, PKCS12 or JKS.";
    "ssl.truststore.location": String = null, Any, Medium, PerBroker, Later,
        "The truststore's file.";
    "ssl.truststore.password": Password = null, Any, Medium, PerBroker, Later,
        "The truststore's password.";
    "ssl.truststore.certificates": Password = null, Any, Medium, PerBroker, Later,
        "The trusted certificates in PEM form.";
    "ssl.keymanager.algorithm": String = "SunX509", Any, Medium, PerBroker, Meaningless(NO_JVM),
        "The Java algorithm that picks keys.";
    "ssl.trustmanager.algorithm": String = "PKIX", Any, Medium, PerBroker, Meaningless(NO_JVM),
        "The Java algorithm that judges certificates.";
    "ssl.endpoint.identification.algorithm": String = "https", Any, Low, PerBroker, Later,
        "How the name in a server's certificate is checked; empty checks none.";
    "ssl.secure.random.implementation": String = null, Any, Low, PerBroker, Meaningless(NO_JVM),
        "The Java source of randomness for TLS.";
    "ssl.cipher.suites": List = "", Any, Medium, PerBroker, Later,
        "The cipher suites offered; empty offers the library's choice.";
    "ssl.engine.factory.class": Class = null, Any, Low, PerBroker, Meaningless(NO_JVM),
        "The Java class that makes TLS engines.";
    "sasl.mechanism.inter.broker.protocol": String = "GSSAPI", Any, Medium, PerBroker, Later,
        "The SASL mechanism between brokers.";
    "sasl.enabled.mechanisms": List = "GSSAPI", Any, Medium, PerBroker, Later,
        "The SASL mechanisms offered to clients.";
    "sasl.server.callback.handler.class": Class = null, Any, Medium, ReadOnly, Meaningless(NO_JVM),
        "The Java class that checks SASL credentials.";
    "sasl.jaas.config": Password = null, Any, Medium, PerBroker, Later,
        "Login settings in JAAS form.";
    "sasl.client.callback.handler.class": Class = null, Any, Medium, ReadOnly, Meaningless(NO_JVM),
        "The Java class that gives SASL credentials.";
    "sasl.login.class": Class = null, Any, Medium, ReadOnly, Meaningless(NO_JVM),
        "The Java class that logs in.";
    "sasl.login.callback.handler.class": Class = null, Any, Medium, ReadOnly, Meaningless(NO_JVM),
        "The Java class that answers a login's questions.";
    "sasl.kerberos.principal.to.local.rules": List = "DEFAULT",
        Any, Medium, PerBroker, Meaningless(NO_KERBEROS),
        "Rules that make a short name of a Kerberos principal.";
    "sasl.kerberos.service.name": String = null, Any, Medium, PerBroker, Meaningless(NO_KERBEROS),
        "The Kerberos service that brokers run as.";
    "sasl.kerberos.kinit.cmd": String = "/usr/bin/kinit", Any, Medium, PerBroker, Meaningless(NO_KERBEROS),
        "The path of kinit.";
    "sasl.kerberos.ticket.renew.window.factor": Double = "0.8",
        Any, Medium, PerBroker, Meaningless(NO_KERBEROS),
        "The share of a ticket's life after which it is renewed.";
    "sasl.kerberos.ticket.renew.jitter": Double = "0.05", Any, Medium, PerBroker, Meaningless(NO_KERBEROS),
        "The random share added to the renewal time.";
    "sasl.kerberos.min.time.before.relogin": Long = "60000", Any, Medium, PerBroker, Meaningless(NO_KERBEROS),
        "The pause between two tries to renew.";
    "sasl.login.refresh.window.factor": Double = "0.8", Any, Medium, PerBroker, Meaningless(NO_LOGIN),
        "The share of a credential's life after which it is refreshed.";
    "sasl.login.refresh.window.jitter": Double = "0.05", Any, Medium, PerBroker, Meaningless(NO_LOGIN),
        "The random share added to the refresh time.";
    "sasl.login.refresh.min.period.seconds": Short = "60", Any, Medium, PerBroker, Meaningless(NO_LOGIN),
        "The least time before a credential is refreshed.";
    "sasl.login.refresh.buffer.seconds": Short = "300", Any, Medium, PerBroker, Meaningless(NO_LOGIN),
        "The time kept before a credential's end.";
    "sasl.login.connect.timeout.ms": Int = null, Any, Low, ReadOnly, Meaningless(NO_LOGIN),
        "How long a connection to the login provider may take.";
    "sasl.login.read.timeout.ms": Int = null, Any, Low, ReadOnly, Meaningless(NO_LOGIN),
        "How long the login provider's answer may take.";
    "sasl.login.retry.backoff.max.ms": Long = "10000", Any, Low, ReadOnly, Meaningless(NO_LOGIN),
        "The longest pause between two logins.";
    "sasl.login.retry.backoff.ms": Long = "100", Any, Low, ReadOnly, Meaningless(NO_LOGIN),
        "The first pause between two logins.";
    "sasl.oauthbearer.jwt.retriever.class": Class =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
        Any, Medium, ReadOnly, Meaningless(NO_JVM),
        "The Java class that fetches tokens.";
    "sasl.oauthbearer.jwt.validator.class": Class =
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
        Any, Medium, ReadOnly, Meaningless(NO_JVM),
        "The Java class that judges tokens.";
    "sasl.oauthbearer.scope": String = null, Any, Medium, ReadOnly, Later,
        "The scope asked for with a token.";
    "sasl.oauthbearer.client.credentials.client.id": String = null, Any, Medium, ReadOnly, Later,
        "The client's id at the token endpoint.";
    "sasl.oauthbearer.client.credentials.client.secret": Password = null, Any, Medium, ReadOnly, Later,
        "The client's secret at the token endpoint.";
    "sasl.oauthbearer.assertion.algorithm": String = "RS256",
        OneOfAnyCase(&["ES256", "RS256"]), Medium, ReadOnly, Later,
        "The algorithm that signs an assertion.";
    "sasl.oauthbearer.assertion.claim.aud": String = null, Any, Medium, ReadOnly, Later,
        "The audience of an assertion.";
    "sasl.oauthbearer.assertion.claim.exp.seconds": Int = "300", Between(0, 86_400), Low, ReadOnly, Later,
        "How long an assertion is valid.";
    "sasl.oauthbearer.assertion.claim.iss": String = null, Any, Medium, ReadOnly, Later,
        "The issuer of an assertion.";
    "sasl.oauthbearer.assertion.claim.jti.include": Boolean = "false", Any, Medium, ReadOnly, Later,
        "Whether an assertion carries a unique id.";
    "sasl.oauthbearer.assertion.claim.nbf.seconds": Int = "60", Between(0, 3_600), Low, ReadOnly, Later,
        "How far before its making an assertion is already valid.";
    "sasl.oauthbearer.assertion.claim.sub": String = null, Any, Medium, ReadOnly, Later,
        "The subject of an assertion.";
    "sasl.oauthbearer.assertion.file": String = null, Any, Medium, ReadOnly, Later,
        "A file that holds a finished assertion.";
    "sasl.oauthbearer.assertion.private.key.file": String = null, Any, Medium, ReadOnly, Later,
        "The private key that signs assertions.";
    "sasl.oauthbearer.assertion.private.key.passphrase": Password = null, Any, Medium, ReadOnly, Later,
        "The passphrase of that key.";
    "sasl.oauthbearer.assertion.template.file": String = null, Any, Medium, ReadOnly, Later,
        "A file with the claims of an assertion.";
    "sasl.oauthbearer.scope.claim.name": String = "scope", Any, Low, ReadOnly, Later,
        "The claim that holds a token's scope.";
    "sasl.oauthbearer.sub.claim.name": String = "sub", Any, Low, ReadOnly, Later,
        "The claim that holds a token's subject.";
    "sasl.oauthbearer.token.endpoint.url": String = null, Any, Medium, ReadOnly, Later,
        "Where tokens are asked for.";
    "sasl.oauthbearer.jwks.endpoint.url": String = null, Any, Medium, ReadOnly, Later,
        "Where the keys that sign tokens are found.";
    "sasl.oauthbearer.jwks.endpoint.refresh.ms": Long = "3600000", Any, Low, ReadOnly, Later,
        "How often those keys are read again.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": Long = "100", Any, Low, ReadOnly, Later,
        "The first pause before those keys are asked for again.";
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": Long = "10000", Any, Low, ReadOnly, Later,
        "The longest pause before those keys are asked for again.";
    "sasl.oauthbearer.clock.skew.seconds": Int = "30", Any, Low, ReadOnly, Later,
        "How far the clocks of broker and issuer may differ.";
    "sasl.oauthbearer.expected.audience": List = "", Any, High, ReadOnly, Later,
        "The audiences of which a token must have one.";
    "sasl.oauthbearer.expected.issuer": String = null, Any, High, ReadOnly, Later,
        "The issuer that a token must have.";
    "delegation.token.secret.key": Password = null, Any, Medium, ReadOnly, Later,
        "The secret that signs delegation tokens, the same on all brokers.";
    "delegation.token.max.lifetime.ms": Long = "604800000", AtLeast(1), Medium, ReadOnly, Later,
        "The longest life of a delegation token with all its renewals.";
    "delegation.token.expiry.time.ms": Long = "86400000", AtLeast(1), Medium, ReadOnly, Later,
        "How long a delegation token lasts until its next renewal.";
    "delegation.token.expiry.check.interval.ms": Long = "3600000", AtLeast(1), Low, ReadOnly, Later,
        "How often delegation tokens are looked through for expired ones.";
}
