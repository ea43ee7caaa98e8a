// Final diagnoses: a file that is chosen is put into the field, where it can be looked over before it is sent.
"use strict";
{
  const file = document.getElementById("csv-file");
  const field = document.getElementById("csv");
  file?.closest("[hidden]")?.removeAttribute("hidden");
  file?.addEventListener("change", async () => {
    if (file.files[0]) field.value = await file.files[0].text();
  });
}
