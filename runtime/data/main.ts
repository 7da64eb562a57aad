import { reserveMethods } from '../shared.ts';
import { LoadVars } from './load-vars.ts';
import { XML } from './xml.ts';
import { XMLNode } from './xml-node.ts';

/** The entry of the bundle that runtime/data.ts evaluates. */
const loaded = { LoadVars, XML };
for (const { prototype } of [LoadVars, XML, XMLNode]) reserveMethods(prototype);

declare const give: (classes: typeof loaded) => void;
give(loaded);

export type Data = typeof loaded;
