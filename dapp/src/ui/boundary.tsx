import { Component, type ReactNode } from "react";
import { Failure } from "./states.tsx";

type Props = { readonly what: string; readonly children: ReactNode };
type State = { readonly failed?: { readonly error: unknown } };

/** What browsers say of a part of the page that is no longer where it was: another version was put in its place. */
const isGone = /dynamically imported module|module script failed|preload CSS/i;

/** Keeps what goes wrong in a part of the page to that part: it says so, and offers to try again. */
export class Boundary extends Component<Props, State> {
  override state: State = {};

  static getDerivedStateFromError(error: unknown): State {
    return { failed: { error } };
  }

  override render(): ReactNode {
    const { failed } = this.state;
    if (failed === undefined) return this.props.children;
    // What could not be loaded is not asked for a second time: only a page that is read anew knows where it is.
    const retry = () =>
      isGone.test(String(failed.error)) ? location.reload() : this.setState({ failed: undefined });
    return <Failure what={this.props.what} error={failed.error} retry={retry} />;
  }
}
