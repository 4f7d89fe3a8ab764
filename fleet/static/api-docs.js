// Shows the API; only questions can be tried here, commands are for programs.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  supportedSubmitMethods: ["get"],
  validatorUrl: null,
});
