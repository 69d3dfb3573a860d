//! A registry of images on the host itself: what Docker pulls from it by digest, and the networks that containers join.

use crate::fixture::{Lab, Machine};
use crate::undo::IMAGE;

const SERVERS: &str = "- package_apt: { names: [docker.io, busybox-static, docker-registry] }
- file: { path: /etc/docker/registry/config.yml, content: \"{version: 0.1, storage: {filesystem: {rootdirectory: /var/lib/docker-registry}}, http: {addr: '127.0.0.1:5000'}}\\n\" }
- systemd_unit: { name: docker, active: true }
- systemd_unit: { name: docker-registry, active: true }";

#[test]
fn an_image_is_pulled_by_its_digest_and_its_container_joins_a_declared_network() {
    let mut machine = Machine::new("web1");
    machine.docker = true;
    let Some(lab) = Lab::boot("a registry", &[machine]) else { return };
    lab.playbook(SERVERS);
    lab.apply().ends(0);
    lab.on("web1", IMAGE);
    let pushed = "for i in 1 2 3 4 5; do docker tag rp:1 127.0.0.1:5000/rp:1; docker push -q 127.0.0.1:5000/rp:1 >/dev/null 2>/root/push && break; sleep 1; done
docker image inspect -f '{{index .RepoDigests 0}}' 127.0.0.1:5000/rp:1 || cat /root/push
docker image rm rp:1 127.0.0.1:5000/rp:1 >/dev/null";
    let pin = lab.on("web1", pushed).trim().to_owned();
    assert!(pin.starts_with("127.0.0.1:5000/rp@sha256:"), "{pin}");
    let items = |pin: &str| {
        format!(
            "- docker_image: {{ name: \"rp:2\", pull: \"{pin}\" }}
- docker_network: {{ name: rp-net, internal: false }}
- docker_container: {{ name: rp, image: \"rp:2\", network: rp-net, network_internal: false }}"
        )
    };
    // A digest that the registry does not have brings nothing.
    let (name, digest) = pin.split_at(pin.len() - 4);
    let other = format!("{name}{}", if digest == "0000" { "1111" } else { "0000" });
    lab.playbook(&items(&other));
    lab.apply().ends(1);
    lab.on("web1", "! docker image inspect rp:2 >/dev/null 2>&1 && ! docker container inspect rp >/dev/null 2>&1");
    lab.playbook(&items(&pin));
    lab.apply().ends(0);
    lab.plan().ends(0);
    let stands = "docker network inspect -f '{{.Internal}}' rp-net; docker inspect -f '{{.State.Running}} {{.HostConfig.NetworkMode}}' rp";
    assert_eq!(lab.on("web1", stands), "false\ntrue rp-net\n");
    // The name leads to another image: that is drift, and the pinned one comes back.
    lab.on("web1", "docker tag $(docker commit rp) rp:2");
    lab.drift().ends(2);
}
