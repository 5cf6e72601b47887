import { createContext, useContext } from "react";
import type { DevelopmentWallet } from "./development-wallet.ts";

/** The wallet in the page; on public networks there is none. */
export const DevelopmentWalletContext = createContext<DevelopmentWallet | undefined>(undefined);

export function useDevelopmentWallet(): DevelopmentWallet | undefined {
  return useContext(DevelopmentWalletContext);
}

/** Name under which it announces itself. */
export const developmentWalletName = "Development wallet";
