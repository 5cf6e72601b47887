import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, Suspense, useEffect, useState } from "react";
import { WagmiProvider } from "wagmi";
import { Router, useLocation } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { UnderWay } from "./act/under-way.tsx";
import { SourceContext, useFindSource } from "./data/source.ts";
import { SourceNotice } from "./data/source-notice.tsx";
import { NetworkContext } from "./network/context.ts";
import { loadNetwork } from "./network/load.ts";
import type { Network } from "./network/network-file.ts";
import { Pages } from "./pages/pages.tsx";
import { SearchBox } from "./shell/search-box.tsx";
import { Shell } from "./shell/shell.tsx";
import { Boundary } from "./ui/boundary.tsx";
import { Failure, Skeleton } from "./ui/states.tsx";
import { configOf } from "./wallet/config.ts";
import { DevelopmentWalletContext } from "./wallet/development-context.ts";
import type { DevelopmentWallet } from "./wallet/development-wallet.ts";
import { WalletButton } from "./wallet/wallet-button.tsx";

type Loaded = {
  readonly network: Network;
  readonly config: ReturnType<typeof configOf>;
  readonly development: DevelopmentWallet | undefined;
};

/** Reads which network this is; the development wallet is loaded only where there may be one. */
async function load(): Promise<Loaded> {
  const network = await loadNetwork();
  const config = configOf(network);
  if (network.accounts.length === 0) return { network, config, development: undefined };
  const { announce, createDevelopmentWallet } = await import("./wallet/development-wallet.ts");
  const development = createDevelopmentWallet(network, location.hostname);
  announce(development);
  return { network, config, development };
}

const queries = new QueryClient({ defaultOptions: { queries: { staleTime: 3_000, retry: 1 } } });

/** The whole page: it reads which network it shows, then shows it. */
export function App() {
  const [loaded, setLoaded] = useState<Loaded>();
  const [error, setError] = useState<unknown>();
  const [attempt, setAttempt] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new attempt reads the file again
  useEffect(() => {
    setError(undefined);
    load().then(setLoaded, setError);
  }, [attempt]);
  if (loaded !== undefined) return <OnNetwork {...loaded} />;
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

function OnNetwork({ network, config, development }: Loaded) {
  return (
    <NetworkContext value={network}>
      <WagmiProvider config={config}>
        <QueryClientProvider client={queries}>
          <DevelopmentWalletContext value={development}>
            <FromSource>
              <Router hook={useHashLocation}>
                <Shell
                  tools={
                    <>
                      <SearchBox />
                      <WalletButton />
                    </>
                  }
                >
                  <SourceNotice />
                  <Boundary what="What you began cannot be shown">
                    <UnderWay />
                  </Boundary>
                  <Page />
                </Shell>
              </Router>
            </FromSource>
          </DevelopmentWalletContext>
        </QueryClientProvider>
      </WagmiProvider>
    </NetworkContext>
  );
}

/** The page of the address: one that fails leaves what is around it, and the other pages, as they are. */
function Page() {
  const [location] = useLocation();
  return (
    <Boundary key={location} what="This page cannot be shown">
      <Suspense fallback={<Skeleton lines={6} />}>
        <Pages />
      </Suspense>
    </Boundary>
  );
}

function FromSource({ children }: { children: ReactNode }) {
  return <SourceContext value={useFindSource()}>{children}</SourceContext>;
}
