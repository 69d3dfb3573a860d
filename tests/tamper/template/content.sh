# expect: template:/etc/rp-tamper.conf
# field: content
sed -i 's/hello/bye/' /etc/rp-tamper.conf
