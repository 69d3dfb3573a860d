mod chain;
mod crash;
mod runs;
