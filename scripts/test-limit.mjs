// Loaded into every test file of a whole run. The runner's own time limits end a test, not its process: a loop of timers
// without an end, left by a failed test, would keep the whole run open. This ends the file, loudly.

/** Longer than the longest file takes on a slow machine. */
const LIMIT_MS = 20 * 60_000;

if (process.env.NODE_TEST_CONTEXT !== undefined)
  setTimeout(() => {
    console.error(`${process.argv[1]}: still open after ${LIMIT_MS / 1_000} s, ended`);
    process.exit(1);
  }, LIMIT_MS).unref();
