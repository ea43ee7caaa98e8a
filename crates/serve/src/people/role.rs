//! What a person is here. A person may have several roles.

/// What a person is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opens films with their results, and reviews them.
    Physician,
    /// The same, for those who label films.
    Reviewer,
    /// Takes part in reader studies: films come from a study alone, never with a result that the study withholds.
    Reader,
    /// Accounts, connections, what is stuck. No films.
    Administrator,
    /// What was done, by whom. No films.
    Auditor,
}

impl Role {
    /// All.
    pub const ALL: [Self; 5] = [Self::Physician, Self::Reviewer, Self::Reader, Self::Administrator, Self::Auditor];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Physician => "physician",
            Self::Reviewer => "reviewer",
            Self::Reader => "reader",
            Self::Administrator => "administrator",
            Self::Auditor => "auditor",
        }
    }

    /// What the role allows, in a line.
    pub fn allows(self) -> &'static str {
        match self {
            Self::Physician => "opens films with their results, and reviews them",
            Self::Reviewer => "opens films with their results, and labels them",
            Self::Reader => "takes part in reader studies",
            Self::Administrator => "manages accounts and connections",
            Self::Auditor => "reads and verifies the audit log",
        }
    }

    /// Parses a role's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// Whether a role is among them.
    pub fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// With a role.
    #[must_use]
    pub fn with(self, role: Role) -> Self {
        Self(self.0 | role.bit())
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }

    /// Names with spaces between; `None` where one is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_whitespace().try_fold(Self::default(), |roles, name| Some(roles.with(Role::parse(name)?)))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<T: IntoIterator<Item = Role>>(roles: T) -> Self {
        roles.into_iter().fold(Self::default(), Self::with)
    }
}

impl std::fmt::Display for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, role) in self.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { " " }, role.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_as_they_are_written() {
        let roles: Roles = [Role::Auditor, Role::Physician].into_iter().collect();
        assert_eq!(roles.to_string(), "physician auditor");
        assert_eq!(Roles::parse("physician auditor"), Some(roles));
        assert_eq!(Roles::parse(""), Some(Roles::default()));
        assert_eq!(Roles::parse("physician root"), None);
        assert!(roles.has(Role::Auditor) && !roles.has(Role::Administrator));
    }
}
