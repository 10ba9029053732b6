/** Exit codes of the command line, and the one error that carries them. Documented in docs/cli.md and in `--help`. */

/** What a process of the command line ends with. */
export const EXIT = {
  ok: 0,
  /** The operation failed, or what was checked is not valid. */
  failed: 1,
  /** Unknown command or option, or an argument that cannot be right. */
  usage: 2,
  /** No cluster answers: it is not running, or too few of its replicas are. */
  unreachable: 3,
} as const;

/** One of the exit codes. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with a sentence that says what is wrong and what to do. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** An argument that cannot be right. */
export function usageFailure(message: string): CommandFailure {
  return new CommandFailure(message, EXIT.usage);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
