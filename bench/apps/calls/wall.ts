/** What the `wall` benchmark sends: 200 bytes of AMF, of several kinds. */
export interface Order {
  id: number;
  customer: string;
  items: { sku: string; count: number; price: number }[];
  isGift: boolean;
  note: string;
  total: number;
}

export const order: Order = {
  id: 4711,
  customer: 'Ada Lovelace',
  items: [
    { sku: 'A-1', count: 2, price: 9.5 },
    { sku: 'B-22', count: 1, price: 20 },
  ],
  isGift: true,
  note: 'by the gate',
  total: 0,
};

/** Reads and writes its argument, and returns 50 bytes of AMF. */
export function settle(wanted: Order) {
  let total = 0;
  for (const item of wanted.items) total += item.count * item.price;
  wanted.total = total;
  wanted.note = wanted.isGift ? 'gift' : '';
  return { id: wanted.id, total: wanted.total, note: wanted.note };
}
