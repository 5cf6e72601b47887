import { createContext, useContext } from "react";
import type { Network } from "./network-file.ts";

/** The network that the page shows; whoever asks for it is below the provider. */
export const NetworkContext = createContext<Network | undefined>(undefined);

export function useNetwork(): Network {
  const network = useContext(NetworkContext);
  if (network === undefined) throw new Error("no network is loaded here");
  return network;
}
