import { useBalance, useConnect, useConnection, useConnectors, useDisconnect, useReadContracts } from "wagmi";
import { assayTokenAbi } from "../../../keepers/src/chain/abi/assay-token.ts";
import { useNetwork } from "../network/context.ts";
import { Notice } from "../ui/badge.tsx";
import { Button, ButtonLink } from "../ui/button.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { Amount, shortly } from "../ui/values.tsx";
import { Whole } from "../ui/whole.tsx";
import { developmentWalletName, useDevelopmentWallet } from "./development-context.ts";
import styles from "./wallet-button.module.css";
import { switchWords, walletWords } from "./words.ts";

const tenMinutes = 600;

type Props = {
  readonly onClose: () => void;
  /** Why the wallet did not come to the page's network when it was asked to; null where it did, or was not asked. */
  readonly notSwitched: unknown;
};

/** What is in the wallet's dialog: a choice of wallets, or the one that is connected. */
export default function WalletPanel(props: Props) {
  const { isConnected } = useConnection();
  return isConnected ? <Connected {...props} /> : <Choice onDone={props.onClose} />;
}

function Choice({ onDone }: { onDone: () => void }) {
  const { deployment } = useNetwork();
  const connectors = useConnectors();
  const { mutateAsync: connect, error, isPending } = useConnect();
  if (connectors.length === 0) {
    return (
      <Notice tone="neutral" title="There is no wallet in this browser">
        Everything can be read without one. To order or to stake, install a wallet that announces itself
        (EIP-6963), and load the page again.
      </Notice>
    );
  }
  return (
    <>
      <p>The page sees your address and asks you before anything is signed or sent.</p>
      <ul className={styles.wallets}>
        {connectors.map((connector) => (
          <li key={connector.uid}>
            <button
              type="button"
              className={styles.wallet}
              disabled={isPending}
              onClick={() => {
                // What went wrong is shown below.
                connect({ connector, chainId: deployment.chainId }).then(onDone, () => {});
              }}
            >
              {connector.icon !== undefined && <img src={connector.icon} alt="" className={styles.icon} />}
              {connector.name}
            </button>
          </li>
        ))}
      </ul>
      {isPending && (
        <Notice tone="waiting" title="Look at your wallet: it asks whether this page may see your address." />
      )}
      {error !== null && <Notice tone="wrong" title={walletWords(error)} />}
    </>
  );
}

function Connected({ onClose, notSwitched }: Props) {
  const { address, connector, chainId } = useConnection();
  const { mutate: disconnect } = useDisconnect();
  const { deployment, name: network } = useNetwork();
  const development = useDevelopmentWallet();
  const coins = useBalance({ address, query: { refetchInterval: 4_000 } });
  const tokens = useReadContracts({
    contracts: [
      {
        address: deployment.addresses.AssayToken,
        abi: assayTokenAbi,
        functionName: "balanceOf",
        args: [address!],
      },
    ],
    allowFailure: false,
    query: { refetchInterval: 4_000, enabled: address !== undefined },
  });
  return (
    <>
      {notSwitched !== null ? (
        <Notice tone="wrong" title="The wallet is on another network">
          {switchWords(notSwitched, network, deployment.chainId)}
        </Notice>
      ) : (
        chainId !== deployment.chainId && (
          <Notice tone="waiting" title="The wallet is on another network">
            Nothing is signed or sent until it is on {network} (chain id {deployment.chainId}).
          </Notice>
        )
      )}
      <Facts>
        <Fact name="Account">
          <Whole text={address ?? ""} />
        </Fact>
        <Fact name="Tokens">{tokens.data === undefined ? "…" : <Amount units={tokens.data[0]} />}</Fact>
        <Fact name="Coins for gas">
          {coins.data === undefined ? "…" : <Amount units={coins.data.value} unit="ETH" />}
        </Fact>
        <Fact name="Wallet">{connector?.name ?? "–"}</Fact>
      </Facts>
      {development !== undefined && connector?.name === developmentWalletName && (
        <fieldset className={styles.accounts}>
          <legend>Accounts of the embedded network</legend>
          {development.accounts.map(({ name, address: each }) => (
            <label key={each} className={styles.account}>
              <input
                type="radio"
                name="account"
                checked={each === address}
                onChange={() => development.choose(each)}
              />
              {name} <code>{shortly(each)}</code>
            </label>
          ))}
        </fieldset>
      )}
      {development !== undefined && (
        <p className={styles.clock}>
          Windows of jobs last ten minutes on this chain.{" "}
          <Button onClick={() => void development.advance(tenMinutes)}>Skip ten minutes</Button>
        </p>
      )}
      <div className={styles.buttons}>
        <Button onClick={() => disconnect()}>Use another wallet</Button>
        <Button
          onClick={() => {
            disconnect();
            onClose();
          }}
        >
          Disconnect
        </Button>
        <ButtonLink to="/mine" onClick={onClose}>
          My jobs and stake
        </ButtonLink>
      </div>
    </>
  );
}
