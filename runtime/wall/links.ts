/** From this number on clients, and calls by them, are the other sides of the script's own connections. */
export const LINK = 0x8000_0000;

/** What a status says of a stream that is published elsewhere. */
export const PushChange = { None: 0, Began: 1, Over: 2 } as const;

/** What a status says of the connection itself. */
export const LinkChange = { None: 0, Open: 1, Over: 2 } as const;
