/** Events of a shared object message. Adobe never published them. */
// One constant each, and no imports: bundles then have the numbers in place of the names.
export const Use = 1 as const;
export const Release = 2 as const;
export const RequestChange = 3 as const;
export const Change = 4 as const;
/** The receiver's own change of this slot was accepted. */
export const Success = 5 as const;
export const Send = 6 as const;
export const Status = 7 as const;
export const Clear = 8 as const;
export const Remove = 9 as const;
export const RequestRemove = 10 as const;
/** The answer to `Use`: what follows in the same message is the whole content. */
export const UseSuccess = 11 as const;
/** Seen from newer servers and ignored; never sent. */
export const SlotVersion = 12 as const;
/** To a proxy, in place of `Success`: an accepted change with its value. */
export const AcceptedChange = 13 as const;
export const RequestClear = 14 as const;
