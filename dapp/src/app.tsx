import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState } from "react";
import { WagmiProvider } from "wagmi";
import { Route, Router, Switch } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { NetworkContext } from "./network/context.ts";
import { loadNetwork } from "./network/load.ts";
import type { Network } from "./network/network-file.ts";
import { Shell } from "./shell/shell.tsx";
import { Failure, Skeleton } from "./ui/states.tsx";
import { configOf } from "./wallet/config.ts";

const Overview = lazy(() => import("./pages/overview.tsx"));
const NotFound = lazy(() => import("./pages/not-found.tsx"));

type Loaded = { network: Network; config: ReturnType<typeof configOf> };

const queries = new QueryClient({ defaultOptions: { queries: { staleTime: 5_000, retry: 1 } } });

function Pages() {
  return (
    <Suspense fallback={<Skeleton lines={6} />}>
      <Switch>
        <Route path="/" component={Overview} />
        <Route component={NotFound} />
      </Switch>
    </Suspense>
  );
}

/** The whole page: it reads which network it shows, then shows it. */
export function App() {
  const [loaded, setLoaded] = useState<Loaded>();
  const [error, setError] = useState<unknown>();
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new attempt reads the file again
  useEffect(() => {
    setError(undefined);
    loadNetwork().then((network) => setLoaded({ network, config: configOf(network) }), setError);
  }, [attempt]);
  if (loaded === undefined) {
    return (
      <Router hook={useHashLocation}>
        <Shell>
          {error === undefined ? (
            <Skeleton lines={6} label="Reading which network this is" />
          ) : (
            <Failure
              what="This page does not know which network it is for"
              error={error}
              retry={() => setAttempt(attempt + 1)}
            />
          )}
        </Shell>
      </Router>
    );
  }
  return (
    <NetworkContext value={loaded.network}>
      <WagmiProvider config={loaded.config}>
        <QueryClientProvider client={queries}>
          <Router hook={useHashLocation}>
            <Shell>
              <Pages />
            </Shell>
          </Router>
        </QueryClientProvider>
      </WagmiProvider>
    </NetworkContext>
  );
}
