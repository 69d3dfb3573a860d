//! rempart: agentless provisioning and compliance for fleets that run AI on their own machines.

pub mod inventory;
pub mod model;
pub mod secret;
pub mod transport;
pub mod yaml;
