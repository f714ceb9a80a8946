// The page's address for a phone: a QR code and the words, in a dialogue.

import { at } from "./elements.js";

/** Offer it where the server knows an address that others can reach. site: of site.json. */
export function offerAddress({ address, qr, authority }) {
  if (!address) return;
  at["phone-address"].textContent = at["phone-address"].href = address;
  at["phone-authority"].hidden = !authority;
  if (qr) Object.assign(at["phone-qr"], { src: qr, alt: `QR code of ${address}`, hidden: false });
  at.phone.hidden = false;
  at.phone.addEventListener("click", () => at["phone-dialog"].showModal());
}
