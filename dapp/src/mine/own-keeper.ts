import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { readSamples, type Sample } from "./prometheus.ts";

const key = "assay.metrics";

/** Address of the metrics of the visitor's own keeper, as it was last given in this browser; empty where none was. */
export function keptAddress(): string {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** Keeps the address in this browser, where that keeps anything. */
export function keepAddress(url: string): void {
  try {
    localStorage.setItem(key, url);
  } catch {
    // Private windows keep nothing.
  }
}

/** What a keeper says of itself. */
export type KeeperSaid = {
  readonly samples: readonly Sample[];
  readonly report: {
    readonly ok: boolean;
    readonly checks: {
      readonly [name: string]: { readonly ok: boolean } & { readonly [field: string]: unknown };
    };
  };
};

/** Asks a keeper, again and again; nobody where the address is empty. */
export function useKeeper(url: string): UseQueryResult<KeeperSaid> {
  return useQuery({
    queryKey: ["keeper", url],
    enabled: url !== "",
    retry: 0,
    refetchInterval: 10_000,
    queryFn: async ({ signal }) => {
      const [metrics, report] = await Promise.all(
        ["/metrics", "/healthz"].map((path) => fetch(new URL(path, url), { signal })),
      );
      return {
        samples: readSamples(await metrics!.text()).filter(({ name }) => name.startsWith("assay_")),
        report: (await report!.json()) as KeeperSaid["report"],
      };
    },
  });
}
