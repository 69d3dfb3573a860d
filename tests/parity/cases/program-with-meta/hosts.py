#!/bin/sh
# The usual program: everything in one answer.
cat <<'END'
{
  "_meta": {"hostvars": {"w1": {"a": 1, "n": {"k": [1, 2.5, null]}}, "stranger": {"a": 1}}},
  "web": {"hosts": ["w1", "w2"], "vars": {"port": 80, "ansible_group_priority": 5}, "children": ["edge"]},
  "edge": {"hosts": ["e1:22", "w1"], "vars": {"port": 81}},
  "all": {"vars": {"x": "\ud834\udd1e \u00e9"}}
}
END
