import { BlockList, isIPv4 } from 'node:net';

/**
 * Whether an address belongs to the public internet, by the IANA registries of special-purpose addresses (RFC 6890).
 * An IPv6 address that stands for an IPv4 one is judged as that one.
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special.check(address, 'ipv4');
  const groups = groupsOf(address);
  if (!groups) return false;
  const embedded = embeddedAddress(groups);
  if (embedded !== undefined) return isPublicAddress(embedded);
  return (groups[0]! & 0xe000) === GLOBAL_UNICAST && !special.check(address, 'ipv6');
}

/** 2000::/3: nothing else is assigned to the internet. Loopback, private, link-local and multicast lie outside. */
const GLOBAL_UNICAST = 0x2000;

const special = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // carrier-grade NAT
  ['127.0.0.0', 8], // loopback
  ['169.254.0.0', 16], // link-local, where clouds keep their metadata
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16], // private
  ['198.18.0.0', 15], // benchmarking
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, and broadcast
] as const) {
  special.addSubnet(network, bits, 'ipv4');
}
for (const [network, bits] of [
  ['2001::', 23], // protocol assignments: Teredo, benchmarking, ORCHID
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4
  ['3fff::', 20], // documentation
] as const) {
  special.addSubnet(network, bits, 'ipv6');
}

/** The eight numbers of an IPv6 address; undefined for anything else, one with a zone included. */
function groupsOf(address: string): number[] | undefined {
  const url = URL.parse(`http://[${address}]/`); // spells every address in one way
  if (!url) return undefined;
  const [left = [], right = []] = url.hostname
    .slice(1, -1)
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))));
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

/** IPv4-mapped (::ffff:0:0/96) and NAT64 (64:ff9b::/96, RFC 6052), which networks without IPv4 need. */
const CARRIERS = ['0,0,0,0,0,65535', '100,65435,0,0,0,0'];

function embeddedAddress(groups: number[]): string | undefined {
  if (!CARRIERS.includes(groups.slice(0, 6).join())) return undefined;
  const [high = 0, low = 0] = groups.slice(6);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}
