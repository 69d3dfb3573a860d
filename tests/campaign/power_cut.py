#!/usr/bin/env python3
"""power_cut.py FOLDER PID: takes the power from a machine. Its process 1 is killed, and in the same instant its disk (the
ext4 filesystem of FOLDER) is shut down without its journal being written: what nobody synced is lost, as in a real one."""
import fcntl
import os
import struct
import sys

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
EXT4_GOING_FLAGS_NOLOGFLUSH = 2

disk = os.open(sys.argv[1], os.O_RDONLY)
os.kill(int(sys.argv[2]), 9)
fcntl.ioctl(disk, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
