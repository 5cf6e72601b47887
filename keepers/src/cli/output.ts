import { explainRevert } from "../chain/revert.ts";
import { AssayError, exitCode } from "../core/errors.ts";
import { printable, printableJson } from "../core/printable.ts";
import { createRedactor } from "../roles/redact.ts";

/** A value that becomes JSON: bigints are written as decimal strings, bytes as 0x-prefixed hexadecimal. */
export type Document = unknown;

/** How far a long task is. `total` is undefined while it is not known. */
export type Progress = {
  stage: string;
  done: number;
  total?: number;
  unit?: string;
};

/** Where a command writes; the process's own streams outside tests. */
export type Streams = {
  out: { write(text: string): unknown };
  err: { write(text: string): unknown };
  /** Whether `err` is a terminal on which a line can be overwritten. */
  terminal: boolean;
};

export type OutputOptions = { json: boolean; verbose: boolean };

const clearLine = "\r\x1b[K";

/**
 * Everything the command says. Results go to standard output, in one JSON document (or one per line for commands that
 * keep running) when asked for; progress, notes and failures go to standard error.
 */
export class Output {
  readonly #streams: Streams;
  readonly #options: OutputOptions;
  readonly #redactor = createRedactor();
  readonly #hidden = new Set<string>();
  #progress: { stage: string; tenth: number } | undefined;
  #overwritable = false;

  constructor(streams: Streams, options: OutputOptions) {
    this.#streams = streams;
    this.#options = options;
  }

  get json(): boolean {
    return this.#options.json;
  }

  get verbose(): boolean {
    return this.#options.verbose;
  }

  /** From now on the text never appears in any output: passwords, keys, RPC URLs that carry one. */
  hide(secret: string): void {
    this.#hidden.add(secret);
    this.#redactor.protect(secret);
  }

  /** What is kept out of all output, to be kept out of logs as well. */
  get hidden(): ReadonlySet<string> {
    return this.#hidden;
  }

  /** The result of a command: the document with `--json`, else the lines. */
  result(document: Document, lines: string | readonly string[]): void {
    const text = typeof lines === "string" ? lines : lines.join("\n");
    this.#clear();
    const said = this.json ? this.#said(stringify(document)) : this.#plain(text);
    this.#streams.out.write(`${said}\n`);
  }

  /** One event of a command that keeps running. */
  event(document: Document, line: string): void {
    this.result(document, line);
  }

  /** A remark beside the result. */
  note(line: string): void {
    this.#clear();
    this.#streams.err.write(`${this.#plain(line)}\n`);
  }

  /** A remark for those who asked for detail. */
  detail(line: string): void {
    if (this.verbose) this.note(line);
  }

  /**
   * Shows progress: one line that is overwritten on a terminal, elsewhere a plain line when a stage begins and at each
   * tenth of it.
   */
  progress({ stage, done, total, unit }: Progress): void {
    const of = total === undefined ? "" : ` of ${total}`;
    const text = `${stage}: ${done}${of}${unit === undefined ? "" : ` ${unit}`}`;
    if (this.#streams.terminal) {
      const share = total === undefined || total === 0 ? "" : ` ${bar(done / total)}`;
      this.#streams.err.write(`${clearLine}  ${this.#plain(text)}${share}`);
      this.#overwritable = true;
      return;
    }
    const tenth = total === undefined || total === 0 ? 0 : Math.floor((10 * done) / total);
    if (this.#progress?.stage === stage && this.#progress.tenth === tenth) return;
    this.#progress = { stage, tenth };
    this.#streams.err.write(`${this.#plain(text)}\n`);
  }

  /** Reports a failure and returns the exit code. With `--json` the document on standard output says it as well. */
  failure(error: unknown): number {
    const described = describe(error);
    this.#clear();
    // A line of strangers' text is not to look like one of ours.
    const indented = (text: string) => text.replaceAll("\n", "\n    ");
    const lines = [`assay: ${indented(described.message)}`];
    if (described.kept !== undefined) lines.push(`  What was kept: ${indented(described.kept)}`);
    if (described.next !== undefined) lines.push(`  What to do next: ${indented(described.next)}`);
    if (this.verbose && error instanceof Error && error.stack !== undefined) lines.push(...causes(error));
    this.#streams.err.write(`${this.#plain(lines.join("\n"))}\n`);
    if (this.json) {
      this.#streams.out.write(`${this.#said(stringify({ ok: false, error: described }))}\n`);
    }
    return described.exitCode;
  }

  #clear(): void {
    if (!this.#overwritable) return;
    this.#streams.err.write(clearLine);
    this.#overwritable = false;
  }

  /** Text for a terminal: secrets are left out, and nothing in it is obeyed but the ends of lines. */
  #plain(text: string): string {
    return printable(this.#redactor.text(text), "\n\t");
  }

  /** A document for programs. */
  #said(json: string): string {
    return printableJson(this.#redactor.text(json));
  }
}

/** A failure in the form in which users and scripts see it. */
export type DescribedError = {
  name: string;
  message: string;
  kept?: string;
  next?: string;
  exitCode: number;
};

/** Says what happened in a failure of any kind. Errors that are not ours are programming errors or unforeseen ones. */
export function describe(error: unknown): DescribedError {
  if (error instanceof AssayError) {
    const { name, message, kept, next } = error;
    return { name, message, kept, next, exitCode: error.exitCode };
  }
  const revert = explainRevert(error);
  if (revert !== undefined) {
    return { name: "Reverted", message: `the chain refused: ${revert.reason}`, exitCode: exitCode.refused };
  }
  const message = error instanceof Error ? shortMessage(error) : String(error);
  return {
    name: error instanceof Error ? error.name : "Error",
    message,
    next: "Run the command again with --verbose and report what it prints.",
    exitCode: exitCode.internal,
  };
}

/** viem's errors carry a short message beside the long one with all call data. */
function shortMessage(error: Error): string {
  return "shortMessage" in error && typeof error.shortMessage === "string"
    ? error.shortMessage
    : error.message;
}

function causes(error: Error): string[] {
  const lines = [error.stack ?? error.message];
  let cause = error.cause;
  while (cause instanceof Error) {
    lines.push(`caused by ${cause.stack ?? cause.message}`);
    cause = cause.cause;
  }
  return lines;
}

function bar(share: number): string {
  const width = 24;
  const full = Math.max(0, Math.min(width, Math.round(share * width)));
  return `[${"#".repeat(full)}${"·".repeat(width - full)}] ${Math.floor(100 * Math.min(1, share))} %`;
}

/** JSON in which bigints are decimal strings and bytes hexadecimal. */
export function stringify(document: Document): string {
  return JSON.stringify(document, (_key, value: unknown) => {
    if (typeof value === "bigint") return value.toString();
    if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString("hex")}`;
    return value;
  });
}

/** Lines of a table with aligned columns; each row is one line, whatever its cells hold. */
export function table(header: readonly string[], given: readonly (readonly string[])[]): string[] {
  const rows = given.map((row) => row.map((cell) => printable(cell)));
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? "").length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return [line(header), ...rows.map(line)];
}
