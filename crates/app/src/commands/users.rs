//! `packshot users`: the people of the oldest organization.

use std::path::PathBuf;

use domain::access::Role;
use serde::Serialize;

use crate::config::Config;
use crate::{End, first_start, print_json};

/// Make or list users, or give one a new password. Works while the server runs
#[derive(clap::Subcommand)]
pub enum Users {
    /// Make somebody a member; their first password is shown once
    Create {
        /// Their sign-in name
        email: String,
        /// What they may do
        #[arg(long, value_enum, default_value_t = RoleName::Operator)]
        role: RoleName,
        #[command(flatten)]
        place: Place,
    },
    /// List the members
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a user a new password, shown once, and sign them out of every browser; their devices and keys go on
    Password {
        /// Their sign-in name
        email: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Where the users are kept.
#[derive(clap::Args)]
pub struct Place {
    /// The server's data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// A role as it is written on the command line.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum RoleName {
    Admin,
    Operator,
}

impl Users {
    /// The data folder asked for.
    pub fn data_dir(&self) -> Option<PathBuf> {
        match self {
            Self::Create { place, .. } | Self::List { place, .. } | Self::Password { place, .. } => {
                place.data.clone()
            }
        }
    }
}

#[derive(Serialize)]
struct Listed {
    id: String,
    email: String,
    role: &'static str,
}

/// Runs the command.
pub async fn run(config: &Config, command: &Users) -> anyhow::Result<End> {
    let opened = first_start::open(config)?;
    let service = first_start::service(config, &opened, "")?;
    first_start::found(config, &service).await?;
    match command {
        Users::Create { email, role, .. } => {
            let role = match role {
                RoleName::Admin => Role::Admin,
                RoleName::Operator => Role::Operator,
            };
            let made = service.create_user(email, role).await?;
            println!("user      {}", made.user);
            match made.password {
                Some(password) => {
                    println!("password  {password}");
                    eprintln!("keep it safe: it is not shown again");
                }
                None => eprintln!("`{email}` had an account already, and keeps its password"),
            }
        }
        Users::List { json, .. } => {
            let listed = service.first_members().await?.into_iter().map(|member| Listed {
                id: member.user.id.0,
                email: member.user.email,
                role: member.role.as_str(),
            });
            let listed: Vec<_> = listed.collect();
            if *json {
                print_json(&listed)?;
            } else {
                for one in &listed {
                    println!("{:8}  {}  {}", one.role, one.email, one.id);
                }
            }
        }
        Users::Password { email, .. } => {
            println!("password  {}", service.reset_password(email).await?);
            eprintln!("keep it safe: it is not shown again");
        }
    }
    Ok(End::Done)
}
