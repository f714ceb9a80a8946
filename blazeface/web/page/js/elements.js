// The page's elements by their ids, and the words it says.

export const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));

/** Tell how things stand; screen readers say it. */
export function say(text) {
  if (at.status.textContent !== text) at.status.textContent = text;
}

/** Tell what went wrong, or with null that nothing does any more. */
export function complain(text) {
  at.trouble.hidden = !text;
  at.trouble.textContent = text ?? "";
}

export function countOf(faces) {
  if (faces.length === 0) return "No face";
  return faces.length === 1 ? "1 face" : `${faces.length} faces`;
}
