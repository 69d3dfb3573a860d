//! rempart: agentless provisioning and compliance for fleets that run AI on their own machines.

pub mod engine;
pub mod kinds;
pub mod model;
pub mod quote;
pub mod resource;
pub mod secret;
pub mod transport;
pub mod yaml;
