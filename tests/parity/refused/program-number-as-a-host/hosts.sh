#!/bin/sh
echo '{"web": {"hosts": [1]}, "_meta": {"hostvars": {}}}'
