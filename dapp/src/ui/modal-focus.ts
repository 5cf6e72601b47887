/**
 * Shows a dialog, with the focus on its title, so that it is read out first. What this gives closes it, and gives the focus back
 * to what had it; or to the page, where that is gone. A dialog that is taken away while it is open gives nothing back by itself.
 */
export function showModal(dialog: HTMLDialogElement, title: HTMLElement | null): () => void {
  const before = document.activeElement;
  dialog.showModal();
  title?.focus();
  return () => {
    dialog.close();
    if (before instanceof HTMLElement) before.focus();
    if (document.activeElement === document.body) document.getElementById("content")?.focus();
  };
}
