# expect: user:rp-gw
# field: shell
sed -i '/^rp-gw:/s#:[^:]*$#:/bin/bash#' /etc/passwd
