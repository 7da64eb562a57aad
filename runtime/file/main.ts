import { reserveMethods } from '../shared.ts';
import { File } from './file.ts';

/** The entry of the bundle that runtime/file.ts evaluates. */
declare const give: (loaded: typeof File) => void;
reserveMethods(File.prototype);
give(File);
