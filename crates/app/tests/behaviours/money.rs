//! 41, 42: credits.

use serde_json::json;

use crate::house::House;

#[test]
fn behaviour_41_the_balance_falls_by_what_is_charged() {
    let house = House::open();
    // Others of the same workflow are under way the whole time.
    let others: Vec<_> = (0..5).map(|number| house.create(&format!("other {number}.jpg"))).collect();
    let before = house.balance();
    let id = house.create("ours.jpg");
    let at_once = house.balance();
    let execution = house.wait(&id);
    let charged = execution["chargedCredits"].as_i64().expect("a number");
    assert_eq!(charged, 10);
    assert_eq!((at_once, house.balance()), (before - charged, before - charged));
    for id in others {
        house.wait(&id);
    }
    assert_eq!(house.balance(), before - charged);
    let failed = house.create_broken();
    assert_eq!(house.wait(&failed)["chargedCredits"], 10);
    assert_eq!(house.balance(), before - 20, "a failed one keeps its charge");
}

#[test]
fn behaviour_42_too_little_credit_is_no_error_and_is_charged_once_when_topped_up() {
    let house = House::with(&[("PACKSHOT_ACCOUNTS__CREDITS", "15")]);
    let paid = house.create("paid.jpg");
    let unpaid = house.create("unpaid.jpg");
    let execution = house.wait(&unpaid);
    assert_eq!((&execution["status"], &execution["chargedCredits"]), (&json!("PAYMENT_REQUIRED"), &json!(0)));
    assert_eq!(house.wait(&paid)["status"], "COMPLETED");
    assert_eq!(house.balance(), 5);
    let event = "id:PAYMENT_REQUIRED\nevent:PAYMENT_REQUIRED\ndata:PAYMENT_REQUIRED\n\n";
    assert_eq!(house.get(&format!("/v1/workflow/execution/{unpaid}/status")).text(), event);
    let result = house.get(&format!("/v1/workflow/execution/{unpaid}/result/default"));
    assert_eq!(result.status, 404);
    assert!(
        result.json()["message"].as_str().expect("text").contains("PAYMENT_REQUIRED"),
        "{}",
        result.text()
    );

    let retry = || house.post(&format!("/v1/workflow/execution/{unpaid}/retry"), None).status;
    assert_eq!(retry(), 200, "it is tried, and stays as it is");
    assert_eq!(house.execution(&unpaid)["status"], "PAYMENT_REQUIRED");
    house.top_up(10);
    assert_eq!(house.balance(), 15);
    assert_eq!(retry(), 200);
    assert_eq!(house.balance(), 5);
    let execution = house.wait(&unpaid);
    assert_eq!((&execution["status"], &execution["chargedCredits"]), (&json!("COMPLETED"), &json!(10)));
    assert_eq!((retry(), house.balance()), (404, 5));
    let log = house.get("/v2/workflow/execution/?status=PAYMENT_REQUIRED").json();
    assert_eq!(log["total"], 0);
}
