import { File } from './file.ts';

/** The entry of the bundle that runtime/file.ts evaluates. */
declare const give: (loaded: typeof File) => void;
give(File);
