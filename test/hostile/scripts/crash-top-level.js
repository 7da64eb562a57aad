// Tries: to abort the process at the top level, whenever somebody starts the script.
// Attack: top-level
// Ends: refused | memory | stuck | crash

'a'.repeat(2 ** 29 - 24).split('');
