//! `packshot organizations`: those that share this server.

use std::path::PathBuf;

use domain::access::Role;
use domain::page::Window;
use serde::Serialize;

use crate::config::Config;
use crate::{End, first_start, print_json};

/// Organizations read at once.
const AT_ONCE: u32 = 100;

/// Make or list organizations. Works while the server runs
#[derive(clap::Subcommand)]
pub enum Organizations {
    /// Make an organization with the starter workflows; a new administrator's password is shown once
    Create {
        /// Its name
        #[arg(long)]
        name: String,
        /// Sign-in name of its administrator, who may have an account already
        #[arg(long, value_name = "EMAIL")]
        admin: String,
        /// Its first credits; as many as the settings say (`accounts.credits`) unless given
        #[arg(long)]
        credits: Option<u32>,
        #[command(flatten)]
        place: Place,
    },
    /// List the organizations, oldest first
    List {
        #[command(flatten)]
        place: Place,
    },
}

/// Where the organizations are kept, and how they are shown.
#[derive(clap::Args)]
pub struct Place {
    /// The server's data folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Organizations {
    fn place(&self) -> &Place {
        let (Self::Create { place, .. } | Self::List { place }) = self;
        place
    }

    /// The data folder asked for.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.place().data.clone()
    }
}

#[derive(Serialize)]
struct Made {
    organization_id: String,
    user_id: String,
    /// Of a new user.
    password: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    id: String,
    name: String,
    admins: Vec<String>,
    member_count: usize,
}

/// Runs the command.
pub async fn run(config: &Config, command: &Organizations) -> anyhow::Result<End> {
    let opened = first_start::open(config)?;
    let service = first_start::service(config, &opened, "")?;
    first_start::found(config, &service).await?;
    let json = command.place().json;
    match command {
        Organizations::Create { name, admin, credits, .. } => {
            let mut plan = first_start::plan(config, name, admin);
            plan.credits = credits.unwrap_or(plan.credits);
            let made = service.create_org(plan).await?;
            let is_new = made.password.is_some();
            let made = Made {
                organization_id: made.org.to_string(),
                user_id: made.user.to_string(),
                password: made.password,
            };
            if json {
                print_json(&made)?;
            } else {
                println!("organization  {}", made.organization_id);
                println!("user          {}", made.user_id);
                if let Some(password) = &made.password {
                    println!("password      {password}");
                }
            }
            if is_new {
                eprintln!("keep the password safe: it is not shown again");
            } else {
                eprintln!("`{admin}` had an account already, and keeps its password");
            }
        }
        Organizations::List { .. } => {
            let mut listed = Vec::new();
            loop {
                let window = Window { limit: AT_ONCE, offset: listed.len() as u64 };
                let page = service.all_orgs(window).await?;
                if page.entries.is_empty() {
                    break;
                }
                listed.extend(page.entries.into_iter().map(|org| {
                    let member_count = org.members.len();
                    let admins = org.members.into_iter().filter(|member| member.role == Role::Admin);
                    let admins = admins.map(|member| member.user.email).collect();
                    Listed { id: org.id.to_string(), name: org.name, admins, member_count }
                }));
            }
            if json {
                print_json(&listed)?;
            } else {
                for one in &listed {
                    println!("{}  {}  {}", one.id, one.name, one.admins.join(", "));
                }
            }
        }
    }
    Ok(End::Done)
}
