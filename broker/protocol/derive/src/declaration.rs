//! What a struct and its attributes declare, checked.

use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, Ident, LitInt, LitStr, Path, Result, Type};

/// Versions from `first` to `last`, both included; `last` is `i16::MAX` when open.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    pub(crate) first: i16,
    pub(crate) last: i16,
}

impl Range {
    pub(crate) const ALL: Self = Self { first: 0, last: i16::MAX };

    pub(crate) const fn is_all(self) -> bool {
        self.first == 0 && self.last == i16::MAX
    }

    fn parse(text: &LitStr) -> Result<Self> {
        let value = text.value();
        let number = |digits: &str| digits.parse::<i16>().ok();
        let range = if let Some(first) = value.strip_suffix('+') {
            number(first).map(|first| Self { first, last: i16::MAX })
        } else if let Some((first, last)) = value.split_once('-') {
            number(first).zip(number(last)).map(|(first, last)| Self { first, last })
        } else {
            number(&value).map(|only| Self { first: only, last: only })
        };
        range
            .filter(|range| range.first >= 0 && range.first <= range.last)
            .ok_or_else(|| Error::new(text.span(), "a version range is \"4+\", \"0-12\" or \"3\""))
    }
}

/// The `#[message]` attribute.
pub(crate) struct MessageAttribute {
    pub(crate) versions: Range,
    pub(crate) flexible_from: i16,
    pub(crate) request: Option<(Ident, Path)>,
}

/// One field with its `#[field]` attribute.
pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) versions: Range,
    pub(crate) nullable: Option<Range>,
    pub(crate) tag: Option<u32>,
    pub(crate) default: Option<Expr>,
}

/// A whole struct.
pub(crate) struct Declaration {
    pub(crate) name: Ident,
    pub(crate) message: Option<MessageAttribute>,
    pub(crate) fields: Vec<Field>,
}

impl Declaration {
    pub(crate) fn parse(input: &DeriveInput, is_message: bool) -> Result<Self> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new(input.span(), "only a struct can be a message"));
        };
        if !input.generics.params.is_empty() {
            return Err(Error::new(input.generics.span(), "a message has no generic parameters"));
        }
        let message = if is_message { Some(parse_message(input)?) } else { None };
        let fields = data.fields.iter().map(parse_field).collect::<Result<Vec<_>>>()?;
        Ok(Self { name: input.ident.clone(), message, fields })
    }

    /// The fields of the tagged section, in ascending order of their tags, as the protocol wants them written.
    pub(crate) fn tagged(&self) -> Vec<(u32, &Field)> {
        let mut tagged: Vec<_> = self.fields.iter().filter_map(|field| Some((field.tag?, field))).collect();
        tagged.sort_by_key(|(tag, _)| *tag);
        tagged
    }
}

fn range_of(meta: &ParseNestedMeta<'_>) -> Result<Range> {
    Range::parse(&meta.value()?.parse::<LitStr>()?)
}

fn parse_message(input: &DeriveInput) -> Result<MessageAttribute> {
    let (mut versions, mut flexible_from, mut key, mut response) = (None, i16::MAX, None, None);
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("message")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("versions") {
                versions = Some(range_of(&meta)?);
            } else if meta.path.is_ident("flexible") {
                flexible_from = range_of(&meta)?.first;
            } else if meta.path.is_ident("key") {
                key = Some(meta.value()?.parse::<Ident>()?);
            } else if meta.path.is_ident("response") {
                response = Some(meta.value()?.parse::<Path>()?);
            } else {
                return Err(meta.error("expected versions, flexible, key or response"));
            }
            Ok(())
        })?;
    }
    let versions =
        versions.ok_or_else(|| Error::new(input.span(), "#[message(versions = ..)] is missing"))?;
    if versions.last == i16::MAX {
        return Err(Error::new(input.span(), "a message's versions have an end"));
    }
    let request = match (key, response) {
        (Some(key), Some(response)) => Some((key, response)),
        (None, None) => None,
        _ => return Err(Error::new(input.span(), "a request has both key and response")),
    };
    Ok(MessageAttribute { versions, flexible_from, request })
}

fn parse_field(field: &syn::Field) -> Result<Field> {
    let name = field.ident.clone().ok_or_else(|| Error::new(field.span(), "fields have names"))?;
    let (mut versions, mut nullable, mut tag, mut default) = (Range::ALL, None, None, None);
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("field")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("versions") {
                versions = range_of(&meta)?;
            } else if meta.path.is_ident("nullable") {
                nullable = Some(range_of(&meta)?);
            } else if meta.path.is_ident("tag") {
                tag = Some(meta.value()?.parse::<LitInt>()?.base10_parse::<u32>()?);
            } else if meta.path.is_ident("default") {
                default = Some(meta.value()?.parse::<Expr>()?);
            } else {
                return Err(meta.error("expected versions, nullable, tag or default"));
            }
            Ok(())
        })?;
    }
    if nullable.is_some() != is_option(&field.ty) {
        return Err(Error::new(field.span(), "`nullable` and an Option go together"));
    }
    Ok(Field { name, ty: field.ty.clone(), versions, nullable, tag, default })
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}
