import { LoadVars } from './load-vars.ts';
import { XML } from './xml.ts';

/** The entry of the bundle that runtime/data.ts evaluates. */
const loaded = { LoadVars, XML };

declare const give: (classes: typeof loaded) => void;
give(loaded);

export type Data = typeof loaded;
