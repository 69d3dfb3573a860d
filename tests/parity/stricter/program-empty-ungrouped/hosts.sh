#!/bin/sh
echo '{"web": {"hosts": ["w1"]}, "ungrouped": {}, "_meta": {"hostvars": {}}}'
