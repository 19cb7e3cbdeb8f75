//! `packshot credentials`: what a program needs to sign in.

use std::path::PathBuf;

use crate::config::Config;
use crate::{End, first_start, print_json};

/// Make or show credentials.
#[derive(clap::Subcommand)]
pub enum Credentials {
    /// Make a refresh token and an API key for the administrator; both are shown once. Works while the server runs
    Create {
        /// The server's data folder
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// A name to recognise them by
        #[arg(long, default_value = "command line")]
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Credentials {
    /// The data folder asked for.
    pub fn data_dir(&self) -> Option<PathBuf> {
        let Self::Create { data, .. } = self;
        data.clone()
    }
}

/// Runs the command.
pub async fn run(config: &Config, command: &Credentials) -> anyhow::Result<End> {
    let Credentials::Create { name, json, .. } = command;
    let made = first_start::create_credentials(config, name).await?;
    if *json {
        print_json(&made)?;
    } else {
        println!("organization   {}", made.organization_id);
        println!("user           {}", made.user_id);
        println!("refresh token  {}", made.refresh_token);
        println!("API key        {}", made.api_key);
        eprintln!("keep them safe: they are not shown again");
    }
    Ok(End::Done)
}
