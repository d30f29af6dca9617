//! XDM's standard values of `eventType`. The list is open: any other string is as valid, and these are here
//! so that they are spelled right. (The web ones are lower case where their paths are not.)
//!
//! Constants that nobody uses leave no trace in what a page downloads.

macro_rules! event_types {
    ($($name:ident $value:literal;)*) => {
        $(
            #[doc = concat!("`", $value, "`")]
            pub const $name: &str = $value;
        )*

        /// All of them, for tables in tests and documentation.
        pub const ALL: &[&str] = &[$($value,)*];
    };
}

event_types! {
    ADVERTISING_CLICKS "advertising.clicks";
    ADVERTISING_COMPLETES "advertising.completes";
    ADVERTISING_CONVERSIONS "advertising.conversions";
    ADVERTISING_FEDERATED "advertising.federated";
    ADVERTISING_FIRST_QUARTILES "advertising.firstQuartiles";
    ADVERTISING_IMPRESSIONS "advertising.impressions";
    ADVERTISING_MIDPOINTS "advertising.midpoints";
    ADVERTISING_STARTS "advertising.starts";
    ADVERTISING_THIRD_QUARTILES "advertising.thirdQuartiles";
    ADVERTISING_TIME_PLAYED "advertising.timePlayed";
    APPLICATION_CLOSE "application.close";
    APPLICATION_LAUNCH "application.launch";
    COMMERCE_BACKOFFICE_CREDIT_MEMO_ISSUED "commerce.backofficeCreditMemoIssued";
    COMMERCE_BACKOFFICE_ORDER_CANCELLED "commerce.backofficeOrderCancelled";
    COMMERCE_BACKOFFICE_ORDER_ITEMS_SHIPPED "commerce.backofficeOrderItemsShipped";
    COMMERCE_BACKOFFICE_ORDER_PLACED "commerce.backofficeOrderPlaced";
    COMMERCE_BACKOFFICE_SHIPMENT_COMPLETED "commerce.backofficeShipmentCompleted";
    COMMERCE_CHECKOUTS "commerce.checkouts";
    COMMERCE_PRODUCT_LIST_ADDS "commerce.productListAdds";
    COMMERCE_PRODUCT_LIST_OPENS "commerce.productListOpens";
    COMMERCE_PRODUCT_LIST_REMOVALS "commerce.productListRemovals";
    COMMERCE_PRODUCT_LIST_REOPENS "commerce.productListReopens";
    COMMERCE_PRODUCT_LIST_VIEWS "commerce.productListViews";
    COMMERCE_PRODUCT_VIEWS "commerce.productViews";
    COMMERCE_PURCHASES "commerce.purchases";
    COMMERCE_SAVE_FOR_LATERS "commerce.saveForLaters";
    DECISIONING_PROPOSITION_DISMISS "decisioning.propositionDismiss";
    DECISIONING_PROPOSITION_DISPLAY "decisioning.propositionDisplay";
    DECISIONING_PROPOSITION_INTERACT "decisioning.propositionInteract";
    DECISIONING_PROPOSITION_SEND "decisioning.propositionSend";
    DECISIONING_PROPOSITION_TRIGGER "decisioning.propositionTrigger";
    DELIVERY_FEEDBACK "delivery.feedback";
    DIRECT_MARKETING_EMAIL_BOUNCED "directMarketing.emailBounced";
    DIRECT_MARKETING_EMAIL_BOUNCED_SOFT "directMarketing.emailBouncedSoft";
    DIRECT_MARKETING_EMAIL_CLICKED "directMarketing.emailClicked";
    DIRECT_MARKETING_EMAIL_DELIVERED "directMarketing.emailDelivered";
    DIRECT_MARKETING_EMAIL_OPENED "directMarketing.emailOpened";
    DIRECT_MARKETING_EMAIL_SENT "directMarketing.emailSent";
    DIRECT_MARKETING_EMAIL_UNSUBSCRIBED "directMarketing.emailUnsubscribed";
    INAPPMESSAGE_TRACKING_DISMISS "inappmessageTracking.dismiss";
    INAPPMESSAGE_TRACKING_DISPLAY "inappmessageTracking.display";
    INAPPMESSAGE_TRACKING_INTERACT "inappmessageTracking.interact";
    LEAD_OPERATION_ADD_TO_CAMPAIGN "leadOperation.addToCampaign";
    LEAD_OPERATION_CALL_WEBHOOK "leadOperation.callWebhook";
    LEAD_OPERATION_CHANGE_CAMPAIGN_STREAM "leadOperation.changeCampaignStream";
    LEAD_OPERATION_CHANGE_ENGAGEMENT_CAMPAIGN_CADENCE "leadOperation.changeEngagementCampaignCadence";
    LEAD_OPERATION_CONVERT_LEAD "leadOperation.convertLead";
    LEAD_OPERATION_INTERESTING_MOMENT "leadOperation.interestingMoment";
    LEAD_OPERATION_MERGE_LEADS "leadOperation.mergeLeads";
    LEAD_OPERATION_NEW_LEAD "leadOperation.newLead";
    LEAD_OPERATION_REVENUE_STAGE_CHANGED "leadOperation.revenueStageChanged";
    LEAD_OPERATION_SCORE_CHANGED "leadOperation.scoreChanged";
    LEAD_OPERATION_STATUS_IN_CAMPAIGN_PROGRESSION_CHANGED "leadOperation.statusInCampaignProgressionChanged";
    LIST_OPERATION_ADD_TO_LIST "listOperation.addToList";
    LIST_OPERATION_REMOVE_FROM_LIST "listOperation.removeFromList";
    LOCATION_ENTRY "location.entry";
    LOCATION_EXIT "location.exit";
    MEDIA_AD_BREAK_COMPLETE "media.adBreakComplete";
    MEDIA_AD_BREAK_START "media.adBreakStart";
    MEDIA_AD_COMPLETE "media.adComplete";
    MEDIA_AD_SKIP "media.adSkip";
    MEDIA_AD_START "media.adStart";
    MEDIA_BITRATE_CHANGE "media.bitrateChange";
    MEDIA_BUFFER_START "media.bufferStart";
    MEDIA_CHAPTER_COMPLETE "media.chapterComplete";
    MEDIA_CHAPTER_SKIP "media.chapterSkip";
    MEDIA_CHAPTER_START "media.chapterStart";
    MEDIA_CUSTOM_TRACKING "media.customTracking";
    MEDIA_DOWNLOADED "media.downloaded";
    MEDIA_ERROR "media.error";
    MEDIA_PAUSE_START "media.pauseStart";
    MEDIA_PING "media.ping";
    MEDIA_PLAY "media.play";
    MEDIA_SESSION_COMPLETE "media.sessionComplete";
    MEDIA_SESSION_END "media.sessionEnd";
    MEDIA_SESSION_START "media.sessionStart";
    MEDIA_STATES_UPDATE "media.statesUpdate";
    MESSAGE_FEEDBACK "message.feedback";
    MESSAGE_RENDERING_DATA "message.renderingData";
    MESSAGE_TRACKING "message.tracking";
    OPPORTUNITY_EVENT_ADD_TO_OPPORTUNITY "opportunityEvent.addToOpportunity";
    OPPORTUNITY_EVENT_OPPORTUNITY_UPDATED "opportunityEvent.opportunityUpdated";
    OPPORTUNITY_EVENT_REMOVE_FROM_OPPORTUNITY "opportunityEvent.removeFromOpportunity";
    PUSH_TRACKING_APPLICATION_OPENED "pushTracking.applicationOpened";
    PUSH_TRACKING_CUSTOM_ACTION "pushTracking.customAction";
    WEB_FORM_FILLED_OUT "web.formFilledOut";
    WEB_LINK_CLICKS "web.webinteraction.linkClicks";
    WEB_PAGE_VIEWS "web.webpagedetails.pageViews";
}
