import { lazy, Suspense, useState } from "react";
import { useConnection, useSwitchChain } from "wagmi";
import { useNetwork } from "../network/context.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Skeleton } from "../ui/states.tsx";
import { shortly } from "../ui/values.tsx";
import styles from "./wallet-button.module.css";

const WalletPanel = lazy(() => import("./wallet-panel.tsx"));

/** Connects a wallet, shows which one is, and says when it is on another chain. */
export function WalletButton() {
  const [isOpen, setOpen] = useState(false);
  const { address, chainId, isConnected } = useConnection();
  const { deployment, name } = useNetwork();
  const { mutate: switchChain, error, reset } = useSwitchChain();
  const isElsewhere = isConnected && chainId !== deployment.chainId;
  return (
    <>
      {isElsewhere && (
        <Button
          kind="danger"
          className={styles.elsewhere}
          onClick={() => switchChain({ chainId: deployment.chainId }, { onError: () => setOpen(true) })}
        >
          Wrong network: switch to {name}
        </Button>
      )}
      <Button kind={isConnected ? "plain" : "main"} onClick={() => setOpen(true)}>
        {address === undefined ? "Connect wallet" : <code>{shortly(address)}</code>}
      </Button>
      <Dialog
        title={isConnected ? "Your wallet" : "Connect a wallet"}
        isOpen={isOpen}
        onClose={() => {
          setOpen(false);
          reset();
        }}
      >
        <Suspense fallback={<Skeleton />}>
          <WalletPanel onClose={() => setOpen(false)} notSwitched={isElsewhere ? error : null} />
        </Suspense>
      </Dialog>
    </>
  );
}
