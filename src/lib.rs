//! rempart: agentless provisioning and compliance for fleets that run AI on their own machines.

pub mod lab;
