"""What make-capture needs done to frames. Python's standard library only.

    frames.py vlan TAP WIRE ID     play a VLAN interface: join TAP, a new TAP device, to the device
                                   WIRE through tag ID, until killed
    frames.py pad IN OUT           copy a classic pcap, each short frame padded to 60 bytes
    frames.py spoil FOLDER         write the bad files beside traffic.pcap and traffic.pcapng
"""

import fcntl
import os
import select
import socket
import struct
import sys

SHORTEST, LONGEST = 60, 1514  # an Ethernet frame without its FCS
TAG_TYPE = 0x8100
ALL_PROTOCOLS = 0x0003
NANOSECOND_PCAP = 0xA1B23C4D
PCAP_HEADER, PCAP_RECORD = 24, 16

# From linux/if_packet.h and linux/if_tun.h.
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
AUXDATA = struct.Struct("=IIIHHHH")
TAG_IS_VALID = 1 << 4
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def open_tap(name):
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def open_wire(name):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
    wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    wire.bind((name, ALL_PROTOCOLS))
    return wire


def receive_tagged(wire):
    """One frame from the wire: its tag (None if it has none, or was sent from here) and the
    frame without the tag. The kernel takes a tag off and reports it beside the frame."""
    frame, ancillary, _, address = wire.recvmsg(65536, socket.CMSG_SPACE(AUXDATA.size))
    if address[2] == PACKET_OUTGOING:
        return None, frame
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, *_, tag, _ = AUXDATA.unpack(data[: AUXDATA.size])
            if status & TAG_IS_VALID:
                return tag & 0xFFF, frame
    return None, frame


def vlan(tap_name, wire_name, vlan_id):
    wire = open_wire(wire_name)
    tap = open_tap(tap_name)
    tag = struct.pack(">HH", TAG_TYPE, int(vlan_id))
    while True:
        for ready in select.select([tap, wire], [], [])[0]:
            try:
                if ready is tap:
                    frame = os.read(tap, 65536)
                    wire.send(frame[:12] + tag + frame[12:])
                else:
                    found, frame = receive_tagged(wire)
                    if found == int(vlan_id):
                        os.write(tap, frame)
            except OSError as error:  # one of the two devices is still down
                print(error, file=sys.stderr, flush=True)


def records(capture):
    """Every record of a classic little-endian pcap: seconds, fraction, length on the wire, frame."""
    at = PCAP_HEADER
    while at < len(capture):
        seconds, fraction, kept, length = struct.unpack_from("<IIII", capture, at)
        at += PCAP_RECORD
        yield seconds, fraction, length, capture[at : at + kept]
        at += kept


def pad(source, target):
    with open(source, "rb") as file:
        capture = file.read()
    if struct.unpack_from("<I", capture)[0] != NANOSECOND_PCAP:
        sys.exit(f"{source}: not a little-endian nanosecond pcap")
    padded, lengths = [capture[:PCAP_HEADER]], []
    for seconds, fraction, length, frame in records(capture):
        if len(frame) != length or length > LONGEST:
            sys.exit(f"{source}: frame {len(lengths) + 1} is cut or longer than {LONGEST} bytes")
        frame = frame.ljust(SHORTEST, b"\0")
        padded.append(struct.pack("<IIII", seconds, fraction, len(frame), len(frame)) + frame)
        lengths.append(len(frame))
    with open(target, "wb") as file:
        file.write(b"".join(padded))
    print(f"{target}: {len(lengths)} frames of {min(lengths)} to {max(lengths)} bytes")


def spoil(folder):
    def read(name):
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    def write(name, content):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)

    pcap, pcapng = read("traffic.pcap"), read("traffic.pcapng")
    write("empty.pcap", pcap[:PCAP_HEADER])
    # Three whole frames and one whose second half is missing.
    whole = [PCAP_RECORD + len(frame) for _, _, _, frame in records(pcap)]
    write("truncated.pcap", pcap[: PCAP_HEADER + sum(whole[:3]) + PCAP_RECORD + (whole[3] - PCAP_RECORD) // 2])
    # The section header, the interface, three packet blocks, and half of the fourth.
    at = 0
    for _ in range(5):
        at += struct.unpack_from("<I", pcapng, at + 4)[0]
    write("truncated.pcapng", pcapng[: at + struct.unpack_from("<I", pcapng, at + 4)[0] // 2])
    write("not-a-capture.bin", b"This is some text. It is not a capture of network traffic.\n")


if __name__ == "__main__":
    COMMANDS = {"vlan": vlan, "pad": pad, "spoil": spoil}
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    COMMANDS[sys.argv[1]](*sys.argv[2:])
