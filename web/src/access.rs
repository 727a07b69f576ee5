//! Deciding which requests are answered.

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use http::header::{AUTHORIZATION, COOKIE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};

/// The name of the cookie that holds the token.
pub(crate) const COOKIE_NAME: &str = "active-status-token";

/// A secret that a browser must present to see the page.
///
/// A token has 16 to 256 letters, digits or the characters `-._~`, which need no escapes
/// in an address or a cookie. It is not shown by `Debug`.
///
/// # Examples
///
/// ```
/// use active_status_web::Token;
///
/// assert!(Token::new("2b1c7f9a60d44e58").is_ok());
/// assert!(Token::new("short").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A text that is not a [`Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenError;

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token must have 16 to 256 letters, digits or the characters - . _ ~")
    }
}

impl std::error::Error for TokenError {}

impl Token {
    /// Creates a token.
    ///
    /// # Errors
    ///
    /// Fails if the text is too short, too long, or has other characters.
    pub fn new(text: impl Into<String>) -> Result<Self, TokenError> {
        let text = text.into();
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let fits = (16..=256).contains(&text.len()) && text.bytes().all(valid);
        fits.then_some(Self(text)).ok_or(TokenError)
    }

    /// Reads a token from a file, without the white space around it.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or does not contain a token.
    pub fn read(path: impl AsRef<Path>) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        Self::new(text.trim()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares the token with a text in a time that depends only on the length.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (token, text) = (self.0.as_bytes(), text.as_bytes());
        let differs = token.iter().zip(text).fold(0, |all, (one, other)| all | (one ^ other));
        token.len() == text.len() && differs == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// The conditions for an answer.
#[derive(Debug, Default)]
pub(crate) struct Access {
    pub(crate) token: Option<Token>,
    /// The host names that are accepted besides `localhost` and addresses, in lower case.
    pub(crate) hosts: Vec<String>,
}

impl Access {
    /// Checks everything but the token.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<(), StatusCode> {
        if request.method() != Method::GET {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = request.uri().authority().map(|authority| authority.as_str()).or(header);
        if !host.is_some_and(|host| self.accepts_host(host)) {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
        // A page of another site may link here, but neither embed the page nor take the
        // place of a viewer.
        let header = |name| request.headers().get(name).map(|value| value.as_bytes());
        let other = matches!(header("sec-fetch-site"), Some(b"cross-site" | b"same-site"));
        let link = header("sec-fetch-mode") == Some(b"navigate");
        if other && !link { Err(StatusCode::FORBIDDEN) } else { Ok(()) }
    }

    /// Returns `true` for a host that no other site can pretend to be: an attacker can
    /// point a name at this machine, but not an address.
    fn accepts_host(&self, host: &str) -> bool {
        if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            return address.parse::<Ipv6Addr>().is_ok();
        }
        let name = host.split_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
        name == "localhost" || name.parse::<Ipv4Addr>().is_ok() || self.hosts.contains(&name)
    }

    /// Returns `true` if the request has the token in a header, or if there is none.
    pub(crate) fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let texts = |name| headers.get_all(name).into_iter().filter_map(|one| one.to_str().ok());
        let bearer = texts(AUTHORIZATION).filter_map(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let cookies = texts(COOKIE).flat_map(|value| value.split(';')).filter_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            (name == COOKIE_NAME).then_some(value)
        });
        bearer.chain(cookies).any(|text| token.matches(text))
    }

    /// Returns the token if the query of the request has it.
    pub(crate) fn token_of_query(&self, query: Option<&str>) -> Option<&Token> {
        let token = self.token.as_ref()?;
        let mut given = query?.split('&').filter_map(|part| part.strip_prefix("token="));
        given.any(|text| token.matches(text)).then_some(token)
    }
}
