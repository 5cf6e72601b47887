import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type DestinationStream, destination, type LevelWithSilent, type Logger, pino } from "pino";
import { collectDefaultMetrics, Registry } from "prom-client";
import { AssayError, exitCode } from "../core/errors.ts";
import { printableJson } from "../core/printable.ts";
import { createRedactor, type Redactor } from "./redact.ts";

/** What one part of the keeper says about itself. */
export type HealthReport = { ok: boolean } & Record<string, unknown>;
export type HealthCheck = () => HealthReport | Promise<HealthReport>;

export type TelemetryOptions = {
  level?: LevelWithSilent;
  /** Where log lines (one JSON object each) go; standard error by default, since standard output is for results. */
  stream?: DestinationStream;
  /** Fields of every line: the role and the operator, say. */
  base?: Record<string, unknown>;
  /** Whether to measure the process itself (memory, event loop, garbage collection). */
  processMetrics?: boolean;
};

export type TelemetryServer = { url: string; close(): Promise<void> };

/** Logs, metrics and health of one process. */
export type Telemetry = {
  readonly log: Logger;
  readonly metrics: Registry;
  /** Keeps a secret out of all logs and reports from now on; pass it to whatever reads keys, passwords or URLs. */
  protect(secret: string): void;
  /** Adds a part to the health report; returns a function that takes it out again. */
  addHealthCheck(name: string, check: HealthCheck): () => void;
  health(): Promise<{ ok: boolean; checks: Record<string, HealthReport> }>;
  /**
   * Serves `GET /metrics` (Prometheus text) and `GET /health`, also as `/healthz` (JSON, 503 when not ok); loopback only by default. A page of
   * `origin` may read them in a browser. A connection in which nothing moves ends after `patience` milliseconds, a minute by default.
   */
  serve(options: {
    port: number;
    host?: string;
    origin?: string;
    patience?: number;
  }): Promise<TelemetryServer>;
};

const longestCheck = 5_000;
/** Connections at a time. */
const mostConnections = 64;

async function runCheck(check: HealthCheck): Promise<HealthReport> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<HealthReport>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, error: "no answer" }), longestCheck);
  });
  try {
    return await Promise.race([Promise.resolve().then(check), late]);
  } catch (error) {
    return { ok: false, error: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A line of the log as it is written. Whatever way a secret took, it is cut out of the finished line; and a terminal that shows
 * the line obeys nothing that a stranger said: JSON leaves most such characters as they are.
 */
const finished = (line: string, redactor: Redactor): string =>
  `${printableJson(redactor.text(line.slice(0, -1)))}\n`;

/** Sets up logs, metrics and health; nothing is served until `serve` is called. */
export function createTelemetry(options: TelemetryOptions = {}): Telemetry {
  const redactor = createRedactor();
  const metrics = new Registry();
  if (options.processMetrics ?? true) collectDefaultMetrics({ register: metrics });
  const checks = new Map<string, HealthCheck>();

  const log = pino(
    {
      level: options.level ?? "info",
      base: options.base ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redactor.value(fields) as Record<string, unknown>,
        bindings: (fields) => redactor.value(fields) as Record<string, unknown>,
      },
      // pino's own error serialiser would copy every field that a library hangs on an error.
      serializers: { err: (error: unknown) => error },
      hooks: { streamWrite: (line) => finished(line, redactor) },
    },
    options.stream ?? destination({ dest: 2, sync: true }),
  );

  const health: Telemetry["health"] = async () => {
    const entries = await Promise.all(
      [...checks].map(async ([name, check]) => [name, redactor.value(await runCheck(check))] as const),
    );
    const reports = Object.fromEntries(entries) as Record<string, HealthReport>;
    return { ok: Object.values(reports).every(({ ok }) => ok), checks: reports };
  };

  const answer = async (path: string): Promise<{ status: number; type: string; body: string }> => {
    if (path === "/metrics") {
      return { status: 200, type: metrics.contentType, body: redactor.text(await metrics.metrics()) };
    }
    if (path === "/health" || path === "/healthz") {
      const report = await health();
      const body = `${printableJson(JSON.stringify(report))}\n`;
      return { status: report.ok ? 200 : 503, type: "application/json", body };
    }
    return { status: 404, type: "text/plain", body: "there is /metrics and /healthz\n" };
  };

  return {
    log,
    metrics,
    protect: (secret) => redactor.protect(secret),
    health,
    addHealthCheck(name, check) {
      checks.set(name, check);
      return () => void checks.delete(name);
    },
    async serve({ port, host = "127.0.0.1", origin, patience = 60_000 }) {
      const allowed = origin === undefined ? {} : { "access-control-allow-origin": origin, vary: "origin" };
      const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
        const send = (status: number, type: string, body: string) => {
          response.writeHead(status, { "content-type": type, "cache-control": "no-store", ...allowed });
          response.end(request.method === "HEAD" ? undefined : body);
        };
        if (request.method !== "GET" && request.method !== "HEAD")
          return send(405, "text/plain", "GET only\n");
        const [path = "/"] = (request.url ?? "/").split("?", 1);
        answer(path).then(
          ({ status, type, body }) => send(status, type, body),
          (error: unknown) => {
            log.error({ err: error }, "a metric could not be collected");
            send(500, "text/plain", "see the log\n");
          },
        );
      });
      server.maxConnections = mostConnections;
      // Whoever does not read what it asked for would keep one for ever.
      server.timeout = patience;
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, resolve);
      }).catch((cause: unknown) => {
        throw new AssayError(`metrics and health cannot be served on ${host}:${port}`, {
          next: "choose another port",
          exitCode: exitCode.unavailable,
          cause,
        });
      });
      const { port: actual, family } = server.address() as AddressInfo;
      return {
        url: `http://${family === "IPv6" ? `[${host}]` : host}:${actual}`,
        close: () =>
          new Promise((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      };
    },
  };
}
