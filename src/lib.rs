//! rempart: agentless provisioning and compliance for fleets that run AI on their own machines.

pub mod cli;
pub mod engine;
pub mod history;
pub mod inventory;
pub mod kinds;
pub mod lab;
pub mod lockout;
pub mod model;
pub mod plan;
pub mod playbook;
pub mod quote;
pub mod report;
pub mod resource;
pub mod scan;
pub mod secret;
pub mod store;
pub mod transport;
pub mod yaml;
