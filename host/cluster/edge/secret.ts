import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Both sides show that they know the secret, and it never crosses the wire. */
export interface Nonces {
  readonly edge: string;
  readonly origin: string;
}

export function makeNonce(): string {
  return randomBytes(24).toString('base64url');
}

export function proofOf(
  who: 'edge' | 'origin',
  secret: string,
  { edge, origin }: Nonces,
  name: string,
): string {
  return createHmac('sha256', secret)
    .update(JSON.stringify([who, edge, origin, name]))
    .digest('base64url');
}

export function isProof(given: string, expected: string): boolean {
  const one = Buffer.from(given);
  const other = Buffer.from(expected);
  return one.length === other.length && timingSafeEqual(one, other);
}
