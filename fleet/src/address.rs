//! The address of the server, and its password.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

/// Where the server is, and how to log in.
///
/// The forms are `redis://[USER@]HOST[:PORT]`, `rediss://…` for TLS, and
/// `unix:///PATH[?user=USER]`. A password comes from a [file](Self::with_password_file):
/// an address that contains one is refused, because addresses are shown by `ps`, by
/// messages and by the board. Neither `Display` nor `Debug` shows a secret.
///
/// # Examples
///
/// ```
/// use active_status_fleet::Address;
///
/// let address: Address = "redis://feeder@localhost".parse().unwrap();
/// assert_eq!(address.to_string(), "redis://feeder@localhost:6379");
/// ```
#[derive(Clone)]
pub struct Address {
    info: ConnectionInfo,
    shown: String,
}

impl Address {
    /// Reads the password from a file, without the line break at its end.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, is empty, or has more than one line.
    pub fn with_password_file(mut self, file: &Path) -> Result<Self, AddressError> {
        let unreadable = |problem: String| AddressError::Password(file.to_owned(), problem);
        let text = fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))?;
        let password = text.strip_suffix('\n').unwrap_or(&text);
        let password = password.strip_suffix('\r').unwrap_or(password);
        if password.is_empty() || password.contains('\n') {
            return Err(unreadable("expected one line".to_owned()));
        }
        let settings = self.info.redis_settings().clone().set_password(password);
        self.info = self.info.set_redis_settings(settings);
        Ok(self)
    }

    pub(crate) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let full = match text.strip_prefix("unix:") {
            Some(path) => format!("redis+unix:{path}"),
            None => text.to_owned(),
        };
        if text.starts_with("rediss:") && !cfg!(feature = "tls") {
            return Err(AddressError::NoTls);
        }
        // The text is not quoted, because it may contain a password.
        let info = full.into_connection_info().map_err(|_| AddressError::Invalid)?;
        if info.redis_settings().password().is_some() {
            return Err(AddressError::HasPassword);
        }
        let user = info.redis_settings().username();
        let user = user.map_or_else(String::new, |user| format!("{user}@"));
        let shown = match info.addr() {
            ConnectionAddr::Tcp(host, port) => format!("redis://{user}{host}:{port}"),
            ConnectionAddr::TcpTls { insecure: true, .. } => return Err(AddressError::Insecure),
            ConnectionAddr::TcpTls { host, port, .. } => format!("rediss://{user}{host}:{port}"),
            ConnectionAddr::Unix(path) => format!("unix:{user}{}", path.display()),
            _ => return Err(AddressError::Invalid),
        };
        // Servers before 7.2 do not know the command, and their users cannot be allowed it.
        let settings = info.redis_settings().clone().set_skip_set_lib_name();
        Ok(Self { info: info.set_redis_settings(settings), shown })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

/// The reason why an address or its password file is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// The text is no address.
    Invalid,
    /// The address contains a password.
    HasPassword,
    /// The address turns the check of the certificate off.
    Insecure,
    /// The address begins with `rediss://`, but the program was built without TLS.
    NoTls,
    /// The password file and its problem.
    Password(PathBuf, String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid => f.write_str(
                "expected an address such as redis://user@host, rediss://user@host or unix:///path",
            ),
            Self::HasPassword => f.write_str(
                "the address contains a password: put it into a file that only you can read, \
                 and its path into FLEET_PASSWORD_FILE",
            ),
            Self::Insecure => f.write_str("the address turns the check of the certificate off"),
            Self::NoTls => f.write_str("this program has no TLS: build it with --features tls"),
            Self::Password(file, problem) => {
                write!(f, "the password file {}: {problem}", file.display())
            }
        }
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_show_no_secret() {
        let shown = |text: &str| Address::from_str(text).map(|address| address.to_string());
        assert_eq!(shown("redis://h1"), Ok("redis://h1:6379".into()));
        assert_eq!(shown("redis://node@h1:7000/2"), Ok("redis://node@h1:7000".into()));
        assert_eq!(shown("unix:///run/redis.sock"), Ok("unix:/run/redis.sock".into()));
        let user = shown("unix:///run/redis.sock?user=node");
        assert_eq!(user, Ok("unix:node@/run/redis.sock".into()));
        for bad in ["", "h1", "http://h1", "redis://", "redis://h1:port"] {
            assert_eq!(shown(bad), Err(AddressError::Invalid), "{bad}");
        }
        for secret in ["redis://node:hunter2@h1", "redis://:hunter2@h1", "unix:///s?pass=hunter2"] {
            let error = shown(secret).unwrap_err();
            assert_eq!(error, AddressError::HasPassword);
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    #[cfg(not(feature = "tls"))]
    fn tls_is_refused_by_a_build_without_it() {
        assert_eq!(Address::from_str("rediss://h1").unwrap_err(), AddressError::NoTls);
    }

    #[test]
    #[cfg(feature = "tls")]
    fn certificates_are_always_checked() {
        assert_eq!(Address::from_str("rediss://h1").unwrap().to_string(), "rediss://h1:6379");
        let error = Address::from_str("rediss://h1/#insecure").unwrap_err();
        assert_eq!(error, AddressError::Insecure);
    }

    #[test]
    fn a_password_file_has_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let address = Address::from_str("redis://node@h1").unwrap();
        for text in ["hunter2\n", "hunter2", "hunter2\r\n"] {
            fs::write(&file, text).unwrap();
            let address = address.clone().with_password_file(&file).unwrap();
            assert_eq!(address.info().redis_settings().password(), Some("hunter2"));
            assert!(!format!("{address} {address:?}").contains("hunter2"));
        }
        for text in ["", "\n", "hunter2\nhunter3\n"] {
            fs::write(&file, text).unwrap();
            let error = address.clone().with_password_file(&file).unwrap_err().to_string();
            assert!(error.ends_with("password: expected one line"), "{error}");
        }
        fs::remove_file(&file).unwrap();
        let error = address.with_password_file(&file).unwrap_err().to_string();
        assert!(error.contains("password: No such file"), "{error}");
    }
}
