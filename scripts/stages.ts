import { performance } from "node:perf_hooks";

/** One finished step of a run, as it appears in the JSON document at the end. */
export type Stage = { name: string; ok: boolean; seconds: number; error?: string } & Record<string, unknown>;

const isTerminal = process.stderr.isTTY === true && process.env.CI === undefined;

/** Writes a line for a person. Always to standard error: standard output belongs to results. */
export function say(line: string): void {
  process.stderr.write(`${isTerminal ? "\r\x1b[K" : ""}${line}\n`);
}

/** Shows what is going on now: overwritten in place on a terminal, left out elsewhere. */
export function showProgress(line: string): void {
  if (isTerminal) process.stderr.write(`\r\x1b[K  ${line}`);
}

/** Runs named stages one after the other and keeps their times and outcomes. */
export class Stages {
  readonly finished: Stage[] = [];

  /** Runs one stage; what `work` returns is stored beside its time. A failure is recorded and thrown on. */
  async run<Details extends Record<string, unknown>>(
    name: string,
    work: () => Promise<Details>,
  ): Promise<Details> {
    const start = performance.now();
    showProgress(`${name} …`);
    try {
      const details = await work();
      const seconds = (performance.now() - start) / 1000;
      this.finished.push({ ...details, name, ok: true, seconds: round(seconds) });
      say(`  ✓ ${name} (${seconds.toFixed(1)} s)`);
      return details;
    } catch (error) {
      const seconds = (performance.now() - start) / 1000;
      this.finished.push({ name, ok: false, seconds: round(seconds), error: messageOf(error) });
      say(`  ✗ ${name} (${seconds.toFixed(1)} s): ${messageOf(error)}`);
      throw error;
    }
  }

  get ok(): boolean {
    return this.finished.length > 0 && this.finished.every((stage) => stage.ok);
  }

  /** The machine-readable end of a run. */
  toJSON(): { ok: boolean; stages: Stage[] } {
    return { ok: this.ok, stages: this.finished };
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
