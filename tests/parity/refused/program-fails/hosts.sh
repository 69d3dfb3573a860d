#!/bin/sh
echo "no credentials in the environment" >&2
exit 3
