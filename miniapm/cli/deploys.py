"""`miniapm deploys`: what was recorded, looked at and corrected; a file for each verb."""

from miniapm.cli.deploys_edit import delete_deploy, edit_deploy, restore_deploy
from miniapm.cli.deploys_export import export_deploys
from miniapm.cli.deploys_import import import_deploys
from miniapm.cli.deploys_list import list_deploys
from miniapm.cli.deploys_show import show_deploy
from miniapm.cli.options import make_group

deploys = make_group("deploys", "List, show, edit, delete, restore, import and export deploys.")
deploys.command("list")(list_deploys)
deploys.command("show")(show_deploy)
deploys.command("edit")(edit_deploy)
deploys.command("delete")(delete_deploy)
deploys.command("restore")(restore_deploy)
deploys.command("import")(import_deploys)
deploys.command("export")(export_deploys)
