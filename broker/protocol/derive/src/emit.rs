//! Turns a checked declaration into code.

use proc_macro2::TokenStream;
use quote::quote;

use crate::declaration::{Declaration, Field, MessageAttribute, Range};

/// The implementations for one struct. Paths start at `::protocol`, which that crate also calls itself.
pub(crate) fn emit(declaration: &Declaration) -> TokenStream {
    let name = &declaration.name;
    let default = emit_default(declaration);
    let shapes = declaration.fields.iter().map(emit_shape);
    let decode = emit_decode(declaration);
    let encode = emit_encode(declaration);
    let message = declaration.message.as_ref().map(|message| emit_message(declaration, message));
    quote! {
        #default
        impl ::protocol::wire::Fields for #name {
            const FIELDS: &'static [::protocol::wire::FieldShape] = &[#(#shapes),*];
            fn decode_fields(
                reader: &mut ::protocol::wire::Reader<'_>,
                at: ::protocol::wire::At,
            ) -> ::core::result::Result<Self, ::protocol::wire::DecodeError> { #decode }
            fn encode_fields(&self, writer: &mut ::protocol::wire::Writer, at: ::protocol::wire::At) { #encode }
        }
        #message
    }
}

fn emit_message(declaration: &Declaration, message: &MessageAttribute) -> TokenStream {
    let name = &declaration.name;
    let (Range { first, last }, flexible_from) = (message.versions, message.flexible_from);
    let request = message.request.as_ref().map(|(key, response)| {
        quote! {
            impl ::protocol::wire::Request for #name {
                const KEY: ::protocol::api_key::ApiKey = ::protocol::api_key::ApiKey::#key;
                type Response = #response;
            }
        }
    });
    quote! {
        impl ::protocol::wire::Message for #name {
            const VERSIONS: ::core::ops::RangeInclusive<i16> = #first..=#last;
            const FLEXIBLE_FROM: i16 = #flexible_from;
        }
        #request
    }
}

fn default_of(field: &Field) -> TokenStream {
    field.default.as_ref().map_or_else(|| quote!(::core::default::Default::default()), |expr| quote!(#expr))
}

fn emit_default(declaration: &Declaration) -> TokenStream {
    let name = &declaration.name;
    let fields = declaration.fields.iter().map(|field| {
        let (field_name, default) = (&field.name, default_of(field));
        quote!(#field_name: #default)
    });
    quote! {
        impl ::core::default::Default for #name {
            fn default() -> Self { Self { #(#fields,)* } }
        }
    }
}

/// `at`, with the flag that an `Option` asks for.
fn at_of(field: &Field) -> TokenStream {
    match field.nullable {
        Some(Range { first, last }) => quote!(at.nullable(#first, #last)),
        None => quote!(at),
    }
}

/// The condition that the version has the field; nothing when all have it.
fn condition_of(field: &Field) -> Option<TokenStream> {
    let Range { first, last } = field.versions;
    (!field.versions.is_all()).then(|| quote!(at.within(#first, #last)))
}

fn emit_shape(field: &Field) -> TokenStream {
    let (name, ty, Range { first, last }) = (field.name.to_string(), &field.ty, field.versions);
    let nullable = match field.nullable {
        Some(Range { first, last }) => quote!(::core::option::Option::Some((#first, #last))),
        None => quote!(::core::option::Option::None),
    };
    let tag = field.tag.map_or_else(|| quote!(None), |tag| quote!(Some(#tag)));
    quote! {
        ::protocol::wire::FieldShape {
            name: #name,
            kind: <#ty as ::protocol::wire::Wire>::KIND,
            versions: (#first, #last),
            nullable: #nullable,
            tag: ::core::option::Option::#tag,
        }
    }
}

fn emit_decode(declaration: &Declaration) -> TokenStream {
    let names = declaration.fields.iter().map(|field| &field.name);
    let plain = declaration.fields.iter().filter(|field| field.tag.is_none()).map(|field| {
        let (name, ty, at, default) = (&field.name, &field.ty, at_of(field), default_of(field));
        let value = quote!(::protocol::wire::Wire::decode(reader, #at)?);
        match condition_of(field) {
            Some(condition) => quote!(let #name: #ty = if #condition { #value } else { #default };),
            None => quote!(let #name: #ty = #value;),
        }
    });
    let tagged = declaration.tagged();
    if tagged.is_empty() {
        return quote! {
            #(#plain)*
            reader.skip_tagged_fields(at)?;
            Ok(Self { #(#names,)* })
        };
    }
    let defaults = tagged.iter().map(|(_, field)| {
        let (name, ty, default) = (&field.name, &field.ty, default_of(field));
        quote!(let mut #name: #ty = #default;)
    });
    let arms = tagged.iter().map(|(tag, field)| {
        let (name, at, guard) = (&field.name, at_of(field), condition_of(field).map(|c| quote!(if #c)));
        quote!(#tag #guard => #name = ::protocol::wire::Wire::decode(reader, #at)?,)
    });
    quote! {
        #(#plain)*
        #(#defaults)*
        reader.tagged_fields(at, &mut |reader, tag| {
            match tag {
                #(#arms)*
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { #(#names,)* })
    }
}

fn emit_encode(declaration: &Declaration) -> TokenStream {
    let plain = declaration.fields.iter().filter(|field| field.tag.is_none()).map(|field| {
        let (name, at) = (&field.name, at_of(field));
        let value = quote!(::protocol::wire::Wire::encode(&self.#name, writer, #at););
        match condition_of(field) {
            Some(condition) => quote!(if #condition { #value }),
            None => value,
        }
    });
    let tagged = declaration.tagged();
    if tagged.is_empty() {
        return quote! {
            #(#plain)*
            writer.no_tagged_fields(at);
        };
    }
    let tagged = tagged.iter().map(|(tag, field)| {
        let (name, at, default) = (&field.name, at_of(field), default_of(field));
        let value = quote!(writer.tagged_field(section, #tag, &self.#name, &#default, #at););
        match condition_of(field) {
            Some(condition) => quote!(if #condition { #value }),
            None => value,
        }
    });
    quote! {
        #(#plain)*
        if at.flexible {
            let section = writer.begin_tagged_fields();
            #(#tagged)*
        }
    }
}
